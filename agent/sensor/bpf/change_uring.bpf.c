/* Files changed by io_uring. A request is noted when it is submitted, its worker's stamps are collected there, and its completion
 * concludes: that may be posted by another task.
 */
#include "change_find.bpf.h"
#include "change_uring.bpf.h"

#define REQUEST_SILENT (1 << 6) /* REQ_F_CQE_SKIP: success posts no completion */

/* One that is all zero, to make new ones from. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct changing);
} blank_changing SEC(".maps");

/* From now on the request's completion is awaited. Memory of a request is used again and again. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_io_uring_submitted, struct io_kiocb *req)
{
	struct changing *c;
	u64 request = (u64)req;
	u32 operation = operation_of_request(request), zero = 0;

	if (!operation || !current_proc())
		return 0;
	bpf_map_delete_elem(&told_requests, &request);
	bpf_map_delete_elem(&ring_changings, &request);
	c = bpf_map_lookup_elem(&blank_changing, &zero);
	if (!c || AS(io_kiocb, request)->flags & REQUEST_SILENT ||
	    bpf_map_update_elem(&ring_changings, &request, c, BPF_ANY))
		return 0;
	c = bpf_map_lookup_elem(&ring_changings, &request);
	if (!c)
		return 0;
	start(c, operation, request);
	c->how = FILE_URING;
	c->remove_folder = operation == OPERATION_UNLINK && AS(io_unlink, request)->flags & AT_REMOVEDIR;
	c->ring = (u64)AS(io_kiocb, request)->ctx;
	c->user_data = AS(io_kiocb, request)->cqe.user_data;
	return 0;
}

/* Posted by the worker or, for some rings, by the process's own thread. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_io_uring_change, struct io_ring_ctx *ring, void *req, struct io_uring_cqe *cqe)
{
	u64 request = (u64)req;
	struct changing *c;
	struct proc *p;

	if (!request || !operation_of_request(request))
		return 0;
	p = current_proc();
	c = bpf_map_lookup_elem(&ring_changings, &request);
	if (!c)
		return 0;
	if (p && AS(io_uring_cqe, cqe)->res >= 0)
		conclude(c, p);
	bpf_map_delete_elem(&ring_changings, &request);
	return 0;
}

struct overflow {
	u64 ring;
	u64 user_data;
	u64 request;
};
static long overflow_step(void *map, u64 *key, struct changing *c, struct overflow *o)
{
	if (!c->count || c->ring != o->ring || c->user_data != o->user_data)
		return 0;
	o->request = *key;
	return 1;
}

/* A ring that is full of completions: the request itself isn't named any more, only its user data. */
SEC("tp_btf/io_uring_cqe_overflow")
int BPF_PROG(on_io_uring_overflow, void *ring, u64 user_data, s32 result)
{
	struct overflow o = { .ring = (u64)ring, .user_data = user_data };
	struct proc *p = current_proc();
	struct changing *c;

	if (!p)
		return 0;
	bpf_for_each_map_elem(&ring_changings, overflow_step, &o, 0);
	c = bpf_map_lookup_elem(&ring_changings, &o.request);
	if (!c)
		return 0;
	if (result >= 0)
		conclude(c, p);
	bpf_map_delete_elem(&ring_changings, &o.request);
	return 0;
}
