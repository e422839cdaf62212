/* Files opened: open, openat, openat2, creat, open_by_handle_at, and their 32-bit forms. */
#include "call.bpf.h"
#include "open.bpf.h"

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

/* In a register, where nobody can change them; openat2's are in the program's memory, as another thread may leave them. */
static __always_inline u64 flags_passed(struct pt_regs *regs, bool compat)
{
	u64 nr = call_number(regs), flags = 0;

	if (nr == NR_OPENAT2) {
		if (bpf_probe_read_user(&flags, sizeof(flags), (void *)argument_of(regs, 2, compat)))
			count(COUNTER_READ_FAILED);
		return flags;
	}
	if (nr == (compat ? COMPAT_NR_CREAT : NR_CREAT))
		return O_TRUNC;
	return nr == (compat ? COMPAT_NR_OPEN : NR_OPEN) ? argument_of(regs, 1, compat) : argument_of(regs, 2, compat);
}

static __always_inline int opened_fd(struct task_struct *task, long fd, struct pt_regs *regs, bool compat)
{
	u32 flags = compat ? FILE_COMPAT : 0;
	struct proc *p;
	u64 file;

	if (fd < 0)
		return 0;
	p = proc_of_current(task);
	if (!p)
		return 0;
	file = file_at(task, fd);
	if (!file) {
		count(COUNTER_RACE);
		return 0;
	}
	opened(p, task, file, flags | suspect(task, file), flags_passed(regs, compat));
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(call_open, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return is_compat(task) ? 0 : opened_fd(task, ret, regs, false); /* openat comes here unasked: on_sys_exit */
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(compat_open, struct pt_regs *regs, long ret)
{
	return opened_fd(bpf_get_current_task_btf(), (s32)ret, regs, true);
}
