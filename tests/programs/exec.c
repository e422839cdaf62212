/* Every way to replace a program. */
#include "attack.h"
#include <pthread.h>

void by_execve(const char *path, char **argv)
{
	execve(path, argv, environ);
}

/* A failed exec says its errno through a pipe that a working exec closes. */
int run_program(const char *step, const char *path, char **argv, replace_fn replace)
{
	int error = 0, status = 0, ends[2];
	char more[64];
	pid_t child;

	need("pipe", path, pipe2(ends, O_CLOEXEC));
	child = fork();
	need("fork", path, child);
	if (!child) {
		replace(path, argv);
		error = errno;
		_exit(write(ends[1], &error, sizeof(error)) < 0);
	}
	close(ends[1]);
	if (read(ends[0], &error, sizeof(error)) < 0)
		error = EIO;
	close(ends[0]);
	waitpid(child, &status, 0);
	snprintf(more, sizeof(more), "\"child\":%d,\"status\":%d", child, status);
	return say_more(step, path, -error, more) || status;
}

static int execve_plain(int argc, char **argv)
{
	(void)argc;
	return run_program("execve", argv[0], argv, by_execve);
}

static void by_execveat(const char *path, char **argv)
{
	int file = open(path, O_PATH | O_CLOEXEC);

	syscall(SYS_execveat, file, "", argv, environ, AT_EMPTY_PATH);
}

static int execveat_empty(int argc, char **argv)
{
	(void)argc;
	return run_program("execveat", argv[0], argv, by_execveat);
}

static void by_procfd(const char *path, char **argv)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", open(path, O_RDONLY));
	execve(name, argv, environ);
}

static int exec_procfd(int argc, char **argv)
{
	(void)argc;
	return run_program("procfd", argv[0], argv, by_procfd);
}

static int exec_named(const char *step, const char *name, char **argv)
{
	int failed = run_program(step, name, argv, by_execve);

	unlink(name);
	return failed;
}

static int exec_symlink(int argc, char **argv)
{
	(void)argc;
	need("symlink", argv[0], symlink(argv[0], "/tmp/symbolic"));
	return exec_named("symlink", "/tmp/symbolic", argv);
}

static int exec_hardlink(int argc, char **argv)
{
	(void)argc;
	need("link", argv[0], link(argv[0], "/tmp/hard"));
	return exec_named("hardlink", "/tmp/hard", argv);
}

static int exec_dropped(int argc, char **argv)
{
	(void)argc;
	close(copy_file(argv[0], argv[1], 0755));
	return run_program("dropped", argv[1], argv + 1, by_execve);
}

static int opened;

static void by_opened(const char *path, char **argv)
{
	(void)path;
	syscall(SYS_execveat, opened, "", argv, environ, AT_EMPTY_PATH);
}

/* The file that is open as `file`, told as `path`. */
static int exec_open(const char *step, const char *path, int file, char **argv)
{
	int failed;

	opened = file;
	failed = run_program(step, path, argv, by_opened);
	return failed + say_file("file", path, file);
}

static int exec_deleted(int argc, char **argv)
{
	int file = copy_file(argv[0], "/tmp/deleted", 0755);

	(void)argc;
	need("unlink", "/tmp/deleted", unlink("/tmp/deleted"));
	return exec_open("deleted", "/tmp/deleted", file, argv);
}

static int exec_tmpfile(int argc, char **argv)
{
	int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0755), again;
	char name[64];

	(void)argc;
	need("tmpfile", "/tmp", file);
	fill(file, argv[0]);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	again = open(name, O_RDONLY | O_CLOEXEC); /* a file open for writing can't be executed */
	close(file);
	return exec_open("tmpfile", "/tmp", again, argv);
}

static int exec_memfd(int argc, char **argv)
{
	int file = memfd_create("program", MFD_CLOEXEC);

	(void)argc;
	need("memfd_create", "program", file);
	fill(file, argv[0]);
	return exec_open("memfd", "program", file, argv);
}

static int exec_loader(int argc, char **argv)
{
	char *with[] = { "/lib64/ld-linux-x86-64.so.2", argv[0], NULL };

	(void)argc;
	return run_program("loader", with[0], with, by_execve);
}

static int exec_vfork(int argc, char **argv)
{
	volatile int error = 0;
	int status = 0;
	pid_t child = vfork();

	(void)argc;
	if (!child) {
		execve(argv[0], argv, environ);
		error = errno;
		_exit(1);
	}
	waitpid(child, &status, 0);
	return say("vfork", argv[0], -error) || status;
}

/* Wait until every process that holds the pipe's other end is gone, whoever its parent is. */
static void wait_for_end(const int ends[2])
{
	char byte;

	close(ends[1]);
	while (read(ends[0], &byte, 1) > 0)
		;
	close(ends[0]);
}

static int exec_orphan(int argc, char **argv)
{
	int ends[2];

	(void)argc;
	need("pipe", argv[0], pipe(ends));
	if (!fork()) {
		setsid();
		if (!fork()) {
			say("grandchild", argv[0], 0);
			execve(argv[0], argv, environ);
			_exit(say("execve", argv[0], -1));
		}
		_exit(0);
	}
	wait(NULL);
	wait_for_end(ends);
	return 0;
}

/* The middle process makes a child whose parent is this process: the parent pointer says what the creator wants. */
static int exec_clone_parent(int argc, char **argv)
{
	int status = 0;

	(void)argc;
	if (!fork()) {
		say("creator", argv[0], 0);
		if (!syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)) {
			char more[32];

			snprintf(more, sizeof(more), "\"parent\":%d", getppid());
			say_more("created", argv[0], 0, more);
			execve(argv[0], argv, environ);
			_exit(say("execve", argv[0], -1));
		}
		_exit(0);
	}
	for (int children = 0; children < 2; children++) {
		int one;

		wait(&one);
		status |= one;
	}
	return status;
}

static void *thread_execs(void *argv)
{
	char **with = argv;

	execve(with[0], with, environ);
	_exit(say("execve", with[0], -1));
}

static void by_thread(const char *path, char **argv)
{
	pthread_t thread;

	(void)path;
	pthread_create(&thread, NULL, thread_execs, argv);
	pause();
}

static int exec_thread(int argc, char **argv)
{
	(void)argc;
	return run_program("thread", argv[0], argv, by_thread);
}

/* quiet with arguments becomes them, so many arguments need a program that ignores them: busybox's true. */
static int exec_long(int argc, char **argv)
{
	long bytes = number(argv[1]);
	int count = bytes / 1000;
	char **with = calloc(count + 2, sizeof(*with));
	char *word = malloc(1000);

	(void)argc;
	memset(word, 'a', 999);
	word[999] = 0;
	with[0] = argv[0];
	for (int i = 1; i <= count; i++)
		with[i] = word;
	return run_program("long", argv[0], with, by_execve);
}

static int exec_hostile(int argc, char **argv)
{
	char *with[] = { argv[0],
			 "new\nline",
			 "\x1b[31mred",
			 "\xff\xfe\xc3(",
			 "",
			 "\"quote\\",
			 "\xe2\x80\xae"
			 "bidi",
			 NULL };

	(void)argc;
	return run_program("hostile", argv[0], with, by_execve);
}

static int exec_environment(int argc, char **argv)
{
	char *with[] = { argv[0], NULL };

	for (int i = 1; i < argc; i++)
		putenv(argv[i]);
	return run_program("environment", argv[0], with, by_execve);
}

static void by_user(const char *path, char **argv)
{
	uid_t user = number(argv[0]);

	if (setresgid(user, user, user) || setresuid(user, user, user))
		return;
	execve(path, argv + 1, environ);
}

static int exec_as(int argc, char **argv)
{
	(void)argc;
	return run_program("as", argv[1], argv, by_user);
}

static int exec_relative(int argc, char **argv)
{
	(void)argc;
	need("chdir", argv[0], chdir(argv[0]));
	return run_program("relative", argv[1], argv + 1, by_execve);
}

/* int 0x80, call 11. A child's image is 64-bit all the same: the pointers must lie below 4 GiB. */
static void by_int80(const char *path, char **argv)
{
	static uint32_t *with;

	(void)argv;
	with = mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	with[0] = low(0, path);
	errno = -int80(11, with[0], (long)with, 0, 0);
}

static int exec_int80(int argc, char **argv)
{
	(void)argc;
	return run_program("int80", argv[0], argv, by_int80);
}

const struct verb exec_verbs[] = {
	{ "execve", execve_plain, 1, "PATH ARGS…" },
	{ "execveat-empty", execveat_empty, 1, "PATH ARGS…" },
	{ "exec-procfd", exec_procfd, 1, "PATH ARGS…" },
	{ "exec-symlink", exec_symlink, 1, "PATH: through /tmp/symbolic" },
	{ "exec-hardlink", exec_hardlink, 1, "PATH: through /tmp/hard" },
	{ "exec-dropped", exec_dropped, 2, "PATH COPY ARGS…: copies it, executes the copy, leaves it" },
	{ "exec-deleted", exec_deleted, 1, "PATH: a copy whose name is gone" },
	{ "exec-tmpfile", exec_tmpfile, 1, "PATH: a copy that never had a name" },
	{ "exec-memfd", exec_memfd, 1, "PATH: a copy in anonymous memory" },
	{ "exec-loader", exec_loader, 1, "PATH: /lib64/ld-linux-x86-64.so.2 PATH" },
	{ "exec-vfork", exec_vfork, 1, "PATH" },
	{ "exec-orphan", exec_orphan, 1, "PATH: fork, setsid, fork" },
	{ "exec-clone-parent", exec_clone_parent, 1, "PATH: the child's parent is not its creator" },
	{ "exec-thread", exec_thread, 1, "PATH: from a second thread" },
	{ "exec-long", exec_long, 2, "PATH BYTES: that many bytes of arguments" },
	{ "exec-hostile", exec_hostile, 1, "PATH: control characters, invalid UTF-8, newlines, an empty argument" },
	{ "exec-environment", exec_environment, 1, "PATH NAME=VALUE…" },
	{ "exec-as", exec_as, 2, "UID PATH ARGS…" },
	{ "exec-relative", exec_relative, 2, "DIRECTORY PATH ARGS…" },
	{ "exec-int80", exec_int80, 1, "PATH: 32-bit execve" },
	{},
};
