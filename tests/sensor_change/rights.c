/* Says its rights' changes by doing them: reads orders on standard input, answers each with "done" or the error.
 *   open PATH | exec PATH | fork | uid N | euid N | drop | namespace */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = {};

	return syscall(SYS_capset, &header, none);
}

static int fork_once(void)
{
	int child = fork();

	if (!child)
		_exit(0);
	return child < 0 ? -1 : waitpid(child, NULL, 0);
}

static int open_once(const char *path)
{
	int fd = open(path, O_RDONLY);

	close(fd);
	return fd;
}

static int obey(const char *order, const char *argument)
{
	if (!strcmp(order, "open"))
		return open_once(argument);
	if (!strcmp(order, "exec"))
		return execl(argument, argument, NULL);
	if (!strcmp(order, "fork"))
		return fork_once();
	if (!strcmp(order, "uid"))
		return setuid(atoi(argument));
	if (!strcmp(order, "euid"))
		return seteuid(atoi(argument));
	if (!strcmp(order, "drop"))
		return drop();
	if (!strcmp(order, "namespace"))
		return unshare(CLONE_NEWUSER);
	errno = EINVAL;
	return -1;
}

int main(void)
{
	char line[300], order[32], argument[256];

	setvbuf(stdout, NULL, _IONBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0); /* orders that follow an exec are the next program's */
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		argument[0] = 0;
		if (sscanf(line, "%31s %255s", order, argument) < 1)
			return 2;
		puts(obey(order, argument) < 0 ? strerror(errno) : "done");
	}
	return 0;
}
