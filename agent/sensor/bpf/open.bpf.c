/* Files opened: open, openat, openat2, creat, open_by_handle_at, their 32-bit forms, and io_uring's. */
#include "open.bpf.h"

#define FMODE_PATH (1 << 14)
#define FMODE_CREATED (1 << 20)
#define O_TRUNC 01000 /* as O_APPEND, alike on x86-64 and arm64 */
#define O_APPEND 02000

#define NR_OPENAT2 437
#define COMPAT_NR_OPEN 5
#define COMPAT_NR_CREAT 8
#if defined(__TARGET_ARCH_x86)
#define NR_OPEN 2
#define NR_CREAT 85
#else
#define NR_OPEN ~0ull
#define NR_CREAT ~0ull
#endif

/* O_RDONLY 0, O_WRONLY 1, O_RDWR 2. The kernel takes O_CREAT and O_TRUNC off the open file: whether it was made by this open,
 * it notes; whether it was emptied, which O_RDONLY does too, the call's own flags tell. */
static __always_inline u32 access_of(struct file *f, u64 passed)
{
	u32 how = f->f_flags & 3;

	return (how == 1 ? 0 : ACCESS_READ) | (how ? ACCESS_WRITE : 0) |
	       (f->f_mode & FMODE_CREATED ? ACCESS_CREATE : 0) | (passed & O_TRUNC ? ACCESS_TRUNCATE : 0) |
	       (f->f_flags & O_APPEND ? ACCESS_APPEND : 0);
}

/* What a whole folder is answered for: making and emptying a file is writing, whatever it was opened for. */
static __always_inline u32 use_of(u32 access)
{
	return (access & 3) | (access & (ACCESS_CREATE | ACCESS_TRUNCATE) ? ACCESS_WRITE : 0);
}

/* In a register, where nobody can change them; openat2's are in the program's memory, as another thread may leave them. */
static __always_inline u64 flags_passed(struct pt_regs *regs, bool compat)
{
#define ARGUMENT(n) (compat ? compat_argument(regs, n) : argument(regs, n))
	u64 nr = call_number(regs), flags = 0;

	if (nr == NR_OPENAT2) {
		if (bpf_probe_read_user(&flags, sizeof(flags), (void *)ARGUMENT(2)))
			count(COUNTER_READ_FAILED);
		return flags;
	}
	if (nr == (compat ? COMPAT_NR_CREAT : NR_CREAT))
		return O_TRUNC;
	return nr == (compat ? COMPAT_NR_OPEN : NR_OPEN) ? ARGUMENT(1) : ARGUMENT(2);
#undef ARGUMENT
}

static __always_inline void opened(struct proc *p, u64 file, u32 flags, u64 passed)
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
	access = access_of(f, passed);
	key.who = who_of(p, now);
	key.ino = v.ino;
	key.names = v.names;
	key.dev = v.dev;
	key.real_dev = v.real_dev;
	key.generation = v.generation;
	key.what = WHAT(KIND_OPEN, v.layer, access | v.flags << 5);
	if (known(&key, p, now))
		return;
	novel_file(&key, &v, p, WHAT(KIND_OPEN, v.layer, use_of(access)));
}

static __always_inline int opened_fd(long fd, struct pt_regs *regs, bool compat)
{
	u32 flags = compat ? FILE_COMPAT : 0;
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
	opened(p, file, flags | suspect(task, file), flags_passed(regs, compat));
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(call_open, struct pt_regs *regs, long ret)
{
	return opened_fd(ret, regs, false);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(compat_open, struct pt_regs *regs, long ret)
{
	return opened_fd((s32)ret, regs, true);
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
		opened(p, file, FILE_URING, AS(io_open, request)->how.flags);
	else
		count(COUNTER_RACE);
	return 0;
}
