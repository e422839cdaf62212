/* Files opened by io_uring. At the completion the file is there; a request that posts none where we could see it is told otherwise:
 *
 *   completion             the file, from the descriptor table or from the ring's own
 *   ring full (overflow)   the same; the request isn't named any more, but was noted when it was submitted
 *   silent about success   at the submission, by the name that the kernel copied: claimed, and whether it worked isn't known
 */
#include "open.bpf.h"

#define IO_OPENAT 18
#define IO_OPENAT2 28
#define FILE_SLOT_ALLOC (~0u)
#define REQ_F_CQE_SKIP (1 << 6) /* success posts no completion */

struct submitted_key {
	u64 ring;
	u64 user_data;
};
struct submitted {
	u64 flags;
	u32 slot;
	u32 pad;
};
/* Requests that are on their way. Written at the submission, removed at the completion. Full: the one noted longest ago is not
 * found if its ring overflows. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct submitted_key);
	__type(value, struct submitted);
} submitted_opens SEC(".maps");

static __always_inline bool is_open(struct io_kiocb *request)
{
	return request->opcode == IO_OPENAT || request->opcode == IO_OPENAT2;
}

/* A direct descriptor is in the ring's own table, not in the process's. */
static __always_inline u64 direct_file(u64 ring_context, u32 slot, s32 result)
{
	struct io_ring_ctx *ring = AS(io_ring_ctx, ring_context);
	u64 index = slot == FILE_SLOT_ALLOC ? (u64)result : slot - 1, node;

	if (!bpf_core_field_exists(ring->file_table.data) || index >= ring->file_table.data.nr)
		return 0;
	node = WORD((u64)ring->file_table.data.nodes + 8 * index);
	return node ? AS(io_rsrc_node, node)->file_ptr & ~7ull : 0;
}

static __always_inline void opened_by_ring(u64 ring, u32 slot, s32 result, u64 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct proc *p = proc_of_current(task);
	u64 file;

	if (!p || result < 0)
		return;
	file = slot ? direct_file(ring, slot, result) : file_at(task, result);
	if (file)
		opened(p, task, file, FILE_URING, flags);
	else
		count(COUNTER_RACE);
}

static __always_inline void claim(struct proc *p, u64 name, u64 flags)
{
	u32 how = flags & 3, access = (how == 1 ? 0 : ACCESS_READ) | (how ? ACCESS_WRITE : 0);
	struct admission a = { .now = bpf_ktime_get_boot_ns() };
	struct flow_key key = {};
	struct file_event *e;
	struct scratch *s;
	u64 text;

	s = begin(KIND_OPEN, &p->by, a.now, sizeof(*e));
	if (!s)
		return;
	e = (struct file_event *)s->out;
	text = (u64)&s->out[s->length & OUT_MASK];
	append_string(s, (void *)name);
	key.who = who_of(p, a.now);
	key.names = hash_text(text, e->event.texts[0]);
	key.what = WHAT(KIND_OPEN, LAYER_NEW_MOUNT, access | (FILE_CLAIMED | FILE_URING) << 5);
	if (known(&key, p, a.now))
		return;
	e->key = key;
	e->file.names = key.names;
	e->file.layer = LAYER_NEW_MOUNT;
	e->file.flags = FILE_CLAIMED | FILE_URING;
	e->access = access;
	switch (admit(&key, p, &a)) {
	case ADMITTED_OVER:
		count_over(&a);
		break;
	case ADMITTED_SEND:
		send_admitted(&a, s);
		break;
	}
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_io_uring_open_submitted, struct io_kiocb *req)
{
	struct io_kiocb *request = AS(io_kiocb, req);
	struct submitted_key key = {};
	struct submitted noted = {};
	struct io_open *open;
	struct proc *p;
	u64 name;

	if (!is_open(request))
		return 0;
	p = current_proc();
	if (!p)
		return 0;
	open = AS(io_open, request);
	noted.flags = open->how.flags;
	noted.slot = open->file_slot;
	if (request->flags & REQ_F_CQE_SKIP) {
		name = (u64)open->filename;
		if (name)
			claim(p, (u64)AS(filename, name)->name, noted.flags);
		return 0;
	}
	key.ring = (u64)request->ctx;
	key.user_data = request->cqe.user_data;
	bpf_map_update_elem(&submitted_opens, &key, &noted, BPF_ANY);
	return 0;
}

/* A worker shares the process's descriptors, and has its record from task_newtask. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_io_uring, struct io_ring_ctx *ring, void *req, struct io_uring_cqe *cqe)
{
	struct io_kiocb *request = AS(io_kiocb, req);
	struct submitted_key key = {};
	struct io_open *open;

	if (!req || !is_open(request))
		return 0;
	key.ring = (u64)request->ctx;
	key.user_data = request->cqe.user_data;
	bpf_map_delete_elem(&submitted_opens, &key);
	open = AS(io_open, request);
	opened_by_ring(key.ring, open->file_slot, AS(io_uring_cqe, cqe)->res, open->how.flags);
	return 0;
}

SEC("tp_btf/io_uring_cqe_overflow")
int BPF_PROG(on_io_uring_open_overflow, void *ring, u64 user_data, s32 result)
{
	struct submitted_key key = { .ring = (u64)ring, .user_data = user_data };
	struct submitted *noted = bpf_map_lookup_elem(&submitted_opens, &key);
	struct submitted copy;

	if (!noted)
		return 0;
	copy = *noted;
	bpf_map_delete_elem(&submitted_opens, &key);
	opened_by_ring(key.ring, copy.slot, result, copy.flags);
	return 0;
}
