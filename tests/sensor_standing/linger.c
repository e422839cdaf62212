/* A process that has everything which stock-taking looks for, says "ready" and stays: `linger CODE` maps CODE executable, has a
 * second thread, and on loopback a listening socket, a connection to it, a connected and a bound datagram socket. Then it does
 * what it is told on standard input: "open PATH" in the second thread, "exec PATH" in the first. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int orders[2], done[2];

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void *opener(void *unused)
{
	char path[256];
	ssize_t n;

	while ((n = read(orders[0], path, sizeof(path) - 1)) > 0) {
		path[n] = 0;
		must(open(path, O_RDONLY), path);
		must(write(done[1], "x", 1), "done");
	}
	return unused;
}

static void bind_or_connect(int type, int port, int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in address = loopback(port);
	int one = 1, fd = socket(AF_INET, type, 0);

	must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "reuse");
	must(call(fd, (struct sockaddr *)&address, sizeof(address)), "address");
	if (type == SOCK_STREAM && call == bind)
		must(listen(fd, 5), "listen");
}

static void map(const char *path)
{
	int fd = open(path, O_RDONLY);

	must(fd, path);
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		must(-1, "mmap");
	close(fd);
}

static void obey(char *order)
{
	char *argument = strchr(order, ' ') + 1, answer;

	argument[strcspn(argument, "\n")] = 0;
	if (!strncmp(order, "exec", 4))
		must(execl(argument, argument, "0", NULL), argument);
	must(write(orders[1], argument, strlen(argument)), "order");
	must(read(done[0], &answer, 1), "answer");
	puts("done");
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char order[300];

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IONBF, 0);
	map(argv[1]);
	bind_or_connect(SOCK_STREAM, 7001, bind);
	bind_or_connect(SOCK_STREAM, 7001, connect);
	bind_or_connect(SOCK_DGRAM, 7002, connect);
	bind_or_connect(SOCK_DGRAM, 7003, bind);
	must(pipe(orders), "pipe");
	must(pipe(done), "pipe");
	must(-pthread_create(&thread, NULL, opener, NULL), "thread");
	puts("ready");
	while (fgets(order, sizeof(order), stdin))
		obey(order);
	return 0;
}
