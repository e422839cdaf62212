/* System calls that no system call makes: io_uring, without its library. */
#include "attack.h"
#include <linux/io_uring.h>

struct ring {
	int fd;
	char *submitted, *completed;
	struct io_uring_sqe *entries;
	struct io_uring_params params;
};

static void *area(int ring, size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);

	need("io_uring mmap", "", at == MAP_FAILED ? -1 : 0);
	return at;
}

static void set_up(struct ring *r)
{
	memset(&r->params, 0, sizeof(r->params));
	r->fd = syscall(SYS_io_uring_setup, 4, &r->params);
	need("io_uring_setup", "", r->fd);
	r->submitted = area(r->fd, r->params.sq_off.array + r->params.sq_entries * 4, IORING_OFF_SQ_RING);
	r->completed = area(r->fd, r->params.cq_off.cqes + r->params.cq_entries * sizeof(struct io_uring_cqe),
			    IORING_OFF_CQ_RING);
	r->entries = area(r->fd, r->params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

static void direct_descriptors(struct ring *r)
{
	int none[4] = { -1, -1, -1, -1 };

	need("io_uring_register", "", syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_FILES, none, 4));
}

/* The ring is left open: closing it would cancel what IOSQE_ASYNC still does, and the process ends soon. */
long uring_once(const struct io_uring_sqe *wanted, int slot)
{
	struct ring r;

	set_up(&r);
	if (slot)
		direct_descriptors(&r);
	r.entries[0] = *wanted;
	r.entries[0].file_index = slot;
	*(unsigned *)(r.submitted + r.params.sq_off.array) = 0;
	__atomic_add_fetch((unsigned *)(r.submitted + r.params.sq_off.tail), 1, __ATOMIC_RELEASE);
	need("io_uring_enter", "", syscall(SYS_io_uring_enter, r.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	return ((struct io_uring_cqe *)(r.completed + r.params.cq_off.cqes))->res;
}
