/* Files opened: open, openat, openat2, creat, open_by_handle_at, their 32-bit forms, and io_uring's. */
#include "open.bpf.h"

#define FMODE_PATH (1 << 14)

/* O_RDONLY 0, O_WRONLY 1, O_RDWR 2; O_CREAT, O_TRUNC, O_APPEND are alike on x86-64 and arm64. */
static __always_inline u32 access_of(u32 flags)
{
	u32 how = flags & 3;

	return (how == 1 ? 0 : ACCESS_READ) | (how ? ACCESS_WRITE : 0) | (flags & 0100 ? ACCESS_CREATE : 0) |
	       (flags & 01000 ? ACCESS_TRUNCATE : 0) | (flags & 02000 ? ACCESS_APPEND : 0);
}

static __always_inline void opened(struct proc *p, u64 file, u32 flags)
{
	struct file *f = AS(file, file);
	struct flow_key key = {};
	struct view v;
	u64 now;
	u32 access, magic;

	if (!f->f_inode || f->f_mode & FMODE_PATH)
		return; /* O_PATH gives a name, not the file: using it later is an open of its own */
	magic = f->f_inode->i_sb->s_magic;
	if (magic == MAGIC_PIPE || magic == MAGIC_SOCKET)
		return; /* reopened by /proc/self/fd: no file */
	now = bpf_ktime_get_boot_ns();
	view_for(&v, (u64)f->f_inode, (u64)f->f_path.dentry, p);
	v.flags |= flags;
	access = access_of(f->f_flags);
	key.who = who_of(p, now);
	key.ino = v.ino;
	key.names = v.names;
	key.dev = v.dev;
	key.real_dev = v.real_dev;
	key.generation = v.generation;
	key.what = WHAT(KIND_OPEN, v.layer, access | v.flags << 5);
	if (known(&key, p, now))
		return;
	novel_file(&key, &v, p, WHAT(KIND_OPEN, v.layer, access & 3));
}

static __always_inline int opened_fd(long fd, u32 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct proc *p;
	u64 file;

	if (fd < 0)
		return 0;
	p = current_proc();
	if (!p)
		return 0;
	file = file_at(task, fd);
	if (!file) {
		count(COUNTER_RACE);
		return 0;
	}
	opened(p, file, flags | suspect(task, file));
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(call_open, struct pt_regs *regs, long ret)
{
	return opened_fd(ret, 0);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(compat_open, struct pt_regs *regs, long ret)
{
	return opened_fd((s32)ret, FILE_COMPAT);
}

#define IO_OPENAT 18
#define IO_OPENAT2 28
#define FILE_SLOT_ALLOC (~0u)

/* A direct descriptor is in the ring's own table, not in the process's. */
static __always_inline u64 direct_file(struct io_kiocb *request, u32 slot, s32 result)
{
	struct io_ring_ctx *ring = AS(io_ring_ctx, request->ctx);
	u64 index = slot == FILE_SLOT_ALLOC ? (u64)result : slot - 1, node;

	if (!bpf_core_field_exists(ring->file_table.data) || index >= ring->file_table.data.nr)
		return 0;
	node = WORD((u64)ring->file_table.data.nodes + 8 * index);
	return node ? AS(io_rsrc_node, node)->file_ptr & ~7ull : 0;
}

/* At completion the result is known. A worker shares the process's descriptors, and has its record from task_newtask. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_io_uring, struct io_ring_ctx *ring, void *req, struct io_uring_cqe *cqe)
{
	struct io_kiocb *request = AS(io_kiocb, req);
	struct proc *p;
	u32 slot;
	s32 result;
	u64 file;

	if (!req || (request->opcode != IO_OPENAT && request->opcode != IO_OPENAT2))
		return 0;
	p = current_proc();
	result = AS(io_uring_cqe, cqe)->res;
	if (!p || result < 0)
		return 0;
	slot = AS(io_open, request)->file_slot;
	file = slot ? direct_file(request, slot, result) : file_at(bpf_get_current_task_btf(), result);
	if (file)
		opened(p, file, FILE_URING);
	else
		count(COUNTER_RACE);
	return 0;
}
