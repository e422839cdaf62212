/* Removes, or opens, a file by io_uring in one of the ways in which rings differ: `ring WAY PATH [open]`. Ends with 0 when it worked. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct way {
	const char *name;
	unsigned setup, sqe;
	int personality, full;
} ways[] = {
	{ "plain", 0, 0, 0, 0 },
	{ "deferred", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0, 0, 0 },
	{ "polled", IORING_SETUP_SQPOLL, 0, 0, 0 },
	{ "silent", 0, IOSQE_CQE_SKIP_SUCCESS, 0, 0 },
	{ "other-credentials", 0, 0, 1, 0 },
	{ "full", 0, 0, 0, 1 },
	{ "full-deferred", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0, 0, 1 },
};

static long must(long result, const char *what)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(1);
}

static char *area(int ring, size_t size, off_t offset)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);

	must(at == MAP_FAILED ? -1 : 0, "mmap");
	return at;
}

static void submit(int ring, const struct way *way, struct io_uring_params *p, const char *path, int opcode)
{
	char *sq = area(ring, p->sq_off.array + p->sq_entries * 4, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqe = (void *)area(ring, p->sq_entries * sizeof(*sqe), IORING_OFF_SQES);
	unsigned flags = IORING_ENTER_GETEVENTS | (p->flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0);
	unsigned idle = way->full ? p->cq_entries : 0, done; /* completions that nobody takes */

	*(unsigned *)(sq + p->sq_off.array) = 0;
	for (done = 0; done <= idle; done++) {
		unsigned wait = way->sqe & IOSQE_CQE_SKIP_SUCCESS ? 0 : done + (done < idle);

		*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = done };
		if (done == idle)
			*sqe = (struct io_uring_sqe){ .opcode = opcode,
						      .fd = AT_FDCWD,
						      .addr = (unsigned long)path,
						      .user_data = 7000,
						      .flags = way->sqe };
		if (way->personality)
			sqe->personality =
				must(syscall(SYS_io_uring_register, ring, IORING_REGISTER_PERSONALITY, NULL, 0),
				     "personality");
		__atomic_add_fetch((unsigned *)(sq + p->sq_off.tail), 1, __ATOMIC_RELEASE);
		must(syscall(SYS_io_uring_enter, ring, 1, idle ? wait : !(way->sqe & IOSQE_CQE_SKIP_SUCCESS), flags,
			     NULL, 0),
		     "enter");
	}
}

/* The opened file has the next descriptor after the ring's. */
static int worked(int ring, const char *path, int opening)
{
	return opening ? fcntl(ring + 1, F_GETFD) >= 0 : access(path, F_OK) != 0;
}

int main(int argc, char **argv)
{
	struct io_uring_params p = {};
	const struct way *way = ways;
	int ring, left, opening = argc == 4;

	for (; argc >= 3 && way < ways + sizeof(ways) / sizeof(*ways); way++) {
		if (strcmp(way->name, argv[1]))
			continue;
		p.flags = way->setup;
		ring = must(syscall(SYS_io_uring_setup, 4, &p), "setup");
		submit(ring, way, &p, argv[2], opening ? IORING_OP_OPENAT : IORING_OP_UNLINKAT);
		for (left = 5000; left && !worked(ring, argv[2], opening); left--)
			usleep(1000);
		syscall(SYS_io_uring_enter, ring, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
		return !worked(ring, argv[2], opening);
	}
	return 2;
}
