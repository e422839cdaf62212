/* `bulk WORK COUNT …`: the same deed many times, and what it cost the one who did it.
 *
 * Prints one line of JSON: {"work", "count", "failed", "cpu_ns", "wall_ns"}. cpu_ns is user and system time of this process
 * and of the children that it waited for, all of the work's own: divide by count.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DATA_FOLDERS 20
#define DATA_FILES 2000
#define SECOND 1000000000L

/* Gives how many failed. */
typedef long (*work_fn)(long count, char **argv);

static long now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * SECOND + at.tv_nsec;
}

static long used_by(int who)
{
	struct rusage of;

	getrusage(who, &of);
	return (of.ru_utime.tv_sec + of.ru_stime.tv_sec) * SECOND + (of.ru_utime.tv_usec + of.ru_stime.tv_usec) * 1000;
}

static long used(void)
{
	return used_by(RUSAGE_SELF) + used_by(RUSAGE_CHILDREN);
}

static void must(const char *what, long result)
{
	if (result >= 0)
		return;
	perror(what);
	exit(2);
}

static int open_close(const char *path)
{
	int file = open(path, O_RDONLY);

	if (file < 0)
		return 1;
	close(file);
	return 0;
}

static long open_hot(long count, char **argv)
{
	const char *path = argv[0] ? argv[0] : "/data/d00/f0000";
	long failed = 0;

	while (count--)
		failed += open_close(path);
	return failed;
}

/* 2000 files in turn: what the kernel knows of each has left the processor's caches when its turn comes again. */
static long open_cold(long count, char **argv)
{
	static char paths[DATA_FILES][32];
	long failed = 0;

	(void)argv;
	for (int i = 0; i < DATA_FILES; i++)
		sprintf(paths[i], "/data/d%02d/f%04d", i * DATA_FOLDERS / DATA_FILES, i);
	for (long i = 0; i < count; i++)
		failed += open_close(paths[i % DATA_FILES]);
	return failed;
}

static int run(char **argv)
{
	int status = 1;
	pid_t child = fork();

	if (!child) {
		execve(argv[0], argv, environ);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return child < 0 || status;
}

static char *quiet[] = { "/usr/bin/quiet", NULL };

static char **program_of(char **argv)
{
	return argv[0] ? argv : quiet;
}

static long execs(long count, char **argv)
{
	long failed = 0;

	while (count--)
		failed += run(program_of(argv));
	return failed;
}

/* So many a second: each begins at its own time, whatever the last one took. */
static long paced_execs(long count, char **argv)
{
	long rate = argv[0] ? atol(argv[0]) : 100, begin = now(), failed = 0;

	for (long i = 0; i < count; i++) {
		long due = begin + i * SECOND / rate;
		struct timespec at = { due / SECOND, due % SECOND };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		failed += run(quiet);
	}
	return failed;
}

static int end_of(pid_t child)
{
	int status = 1;

	waitpid(child, &status, 0);
	return status != 0;
}

/* Two loops at full speed, each with half of the count. */
static long exec_storm(long count, char **argv)
{
	pid_t loops[2];

	for (int i = 0; i < 2; i++) {
		loops[i] = fork();
		must("fork", loops[i]);
		if (!loops[i])
			_exit(execs((count + i) / 2, argv) != 0);
	}
	return end_of(loops[0]) + end_of(loops[1]);
}

static long clones(long count, char **argv)
{
	long failed = 0;

	(void)argv;
	while (count--) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		failed += child < 0 || end_of(child);
	}
	return failed;
}

static void serve(int with, long count)
{
	while (count--)
		close(accept(with, NULL, NULL));
	_exit(0);
}

/* Closed by a reset: thousands a second would use up the ports that wait. */
static int connect_once(const struct sockaddr_in *to)
{
	struct linger reset = { 1, 0 };
	int with = socket(AF_INET, SOCK_STREAM, 0);
	int failed = connect(with, (const void *)to, sizeof(*to)) != 0;

	setsockopt(with, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(with);
	return failed;
}

static long connects(long count, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int with = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	long failed = 0;
	pid_t server;

	to.sin_port = htons(argv[0] ? atoi(argv[0]) : 7000);
	setsockopt(with, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must("bind", bind(with, (void *)&to, sizeof(to)));
	must("listen", listen(with, 1024));
	server = fork();
	must("fork", server);
	if (!server)
		serve(with, count);
	for (long i = 0; i < count; i++)
		failed += connect_once(&to);
	return failed + end_of(server);
}

static long datagrams(long count, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int with = socket(AF_INET, SOCK_DGRAM, 0);
	long failed = 0;

	to.sin_port = htons(argv[0] ? atoi(argv[0]) : 7001);
	while (count--)
		failed += sendto(with, "x", 1, 0, (void *)&to, sizeof(to)) != 1;
	return failed;
}

static int folder_of(char **argv)
{
	int folder = open(argv[0] ? argv[0] : "/tmp", O_PATH | O_DIRECTORY);

	must(argv[0] ? argv[0] : "/tmp", folder);
	return folder;
}

static int make_file(int folder, const char *name)
{
	int file = openat(folder, name, O_WRONLY | O_CREAT, 0600);

	if (file < 0)
		return 1;
	close(file);
	return 0;
}

/* What many a server does for each request. */
static long temporary_files(long count, char **argv)
{
	int folder = folder_of(argv);
	long failed = 0;

	for (long i = 0; i < count; i++) {
		char name[48];

		sprintf(name, "tmp-%d-%ld", getpid(), i);
		failed += make_file(folder, name) || unlinkat(folder, name, 0);
	}
	return failed;
}

/* Files that stay, as from an archive: folders of a hundred. */
static long distinct_files(long count, char **argv)
{
	int folder = folder_of(argv);
	long failed = 0;

	for (long i = 0; i < count; i++) {
		char name[48];

		sprintf(name, "d%ld", i / 100);
		if (i % 100 == 0)
			failed += mkdirat(folder, name, 0755) != 0;
		sprintf(name, "d%ld/f%ld", i / 100, i);
		failed += make_file(folder, name);
	}
	return failed;
}

/* The cheapest system call: what hooks cost those who don't need them. */
static long null_calls(long count, char **argv)
{
	(void)argv;
	while (count--)
		syscall(SYS_getppid);
	return 0;
}

static const struct {
	const char *name;
	work_fn work;
	const char *takes;
} works[] = {
	{ "open-hot", open_hot, "COUNT [PATH]" },
	{ "open-cold", open_cold, "COUNT: /data's 2000 files in turn" },
	{ "exec", execs, "COUNT [PROGRAM [ARGUMENT]...]" },
	{ "exec-paced", paced_execs, "COUNT [RATE]: so many a second" },
	{ "exec-storm", exec_storm, "COUNT [PROGRAM]: two loops at full speed" },
	{ "fork", clones, "COUNT" },
	{ "connect", connects, "COUNT [PORT]: loopback, with its own server" },
	{ "datagram", datagrams, "COUNT [PORT]: sendto, loopback" },
	{ "temp", temporary_files, "COUNT [FOLDER]: created and deleted, each with a new name" },
	{ "distinct", distinct_files, "COUNT [FOLDER]: created, kept" },
	{ "null", null_calls, "COUNT: getppid" },
};

#define WORKS (sizeof(works) / sizeof(*works))

static int usage(void)
{
	for (size_t i = 0; i < WORKS; i++)
		fprintf(stderr, "bulk %-12s %s\n", works[i].name, works[i].takes);
	return 2;
}

static int measure(const char *name, work_fn work, long count, char **argv)
{
	long cpu = used(), wall = now(), failed = work(count, argv);

	printf("{\"work\":\"%s\",\"count\":%ld,\"failed\":%ld,\"cpu_ns\":%ld,\"wall_ns\":%ld}\n", name, count, failed,
	       used() - cpu, now() - wall);
	return failed != 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return usage();
	for (size_t i = 0; i < WORKS; i++)
		if (!strcmp(works[i].name, argv[1]))
			return measure(argv[1], works[i].work, atol(argv[2]), argv + 3);
	return usage();
}
