/* Changes by io_uring: which request a worker is in, what it changes, and the names that it was given. */
#ifndef VEDETTE_CHANGE_URING_BPF_H
#define VEDETTE_CHANGE_URING_BPF_H

#include "change_claim.bpf.h"
#include "change_touch.bpf.h"

/* The same for io_uring, by request, from its submission to its completion: that may run in another task. Full: such changes
 * are told by the names that the request was given. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct changing);
} ring_changings SEC(".maps");

/* key: a request that was told by its names, until it is submitted anew. Least recently used go first: told twice. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u32);
} told_requests SEC(".maps");

static __always_inline u64 request_of(struct task_struct *task)
{
	u64 worker = (u64)task->worker_private, work;

	if (!bpf_core_type_exists(struct io_worker) || !worker)
		return 0;
	work = (u64)AS(io_worker, worker)->cur_work;
	return work ? work - bpf_core_field_offset(struct io_kiocb, work) : 0;
}

/* include/uapi/linux/io_uring.h; all of them always run in a worker. */
static __always_inline u32 operation_of_request(u64 request)
{
	switch (AS(io_kiocb, request)->opcode) {
	case 35:
		return OPERATION_RENAME;
	case 36:
		return OPERATION_UNLINK;
	case 37:
		return OPERATION_MKDIR;
	case 38:
		return OPERATION_SYMLINK;
	case 39:
		return OPERATION_LINK;
	case 41:
	case 42:
		return OPERATION_XATTR;
	case 55:
		return OPERATION_TRUNCATE;
	}
	return 0;
}

static __always_inline u64 text_of(struct filename *name)
{
	return name ? (u64)AS(filename, name)->name : 0;
}

static __always_inline void claim_of_request(struct changing *c, u64 request)
{
	struct io_rename *rename = AS(io_rename, request);

	c->claimed = c->claimed_second = 0;
	if (c->operation == OPERATION_RENAME || c->operation == OPERATION_LINK) { /* laid out alike */
		c->claimed = text_of(rename->oldpath);
		c->claimed_second = text_of(rename->newpath);
	} else if (c->operation == OPERATION_SYMLINK) {
		c->claimed = text_of(rename->newpath);
	} else if (c->operation == OPERATION_MKDIR) {
		c->claimed = text_of(AS(io_mkdir, request)->filename);
	} else if (c->operation == OPERATION_UNLINK) {
		c->claimed = text_of(AS(io_unlink, request)->filename);
	}
}

/* A request whose completion we won't see: one that is silent about its success, or there was no room to wait for it. Told at
 * the first stamp, by its names. */
static __always_inline int claimed_by_worker(u64 request, u32 operation, struct proc *p)
{
	u32 yes = 1;
	struct changing *c =
		bpf_task_storage_get(&changings, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!c || bpf_map_lookup_elem(&told_requests, &request))
		return 0;
	bpf_map_update_elem(&told_requests, &request, &yes, BPF_ANY);
	start(c, operation, request);
	c->how = FILE_URING;
	claim_of_request(c, request);
	return tell_claim(c, p);
}

static __always_inline int stamped_by_worker(struct task_struct *task, u64 inode)
{
	u64 request = request_of(task);
	u32 operation = request ? operation_of_request(request) : 0;
	struct changing *c;
	struct proc *p;

	if (!operation)
		return 0;
	p = proc_of(task);
	if (!p)
		return 0;
	c = bpf_map_lookup_elem(&ring_changings, &request);
	if (!c)
		return claimed_by_worker(request, operation, p);
	c->stamped = inode;
	return note_touched(c, p, is_overridden(task, request));
}

#endif
