/* Code mapped executable that is not from the image: dropped libraries, LD_PRELOAD, dlopen from memfd.
 *
 * The mapping is the truth, not the descriptor argument: the vma at the returned address holds the file. Memory without a file
 * is a JIT's and no load.
 */
#include "load.bpf.h"

#define PROT_READ 1
#define PROT_EXEC 4
#define MAP_ANONYMOUS 0x20
#define READ_IMPLIES_EXEC 0x0400000

struct mapping {
	u64 file;
};
static long look_at(struct task_struct *task, struct vm_area_struct *vma, struct mapping *m)
{
	m->file = vma->vm_flags & VM_EXEC ? (u64)vma->vm_file : 0;
	return 0;
}

/* A personality makes whatever is readable executable: the mapping tells whether it did. */
static __always_inline bool may_execute(u64 protection)
{
	if (protection & PROT_EXEC)
		return true;
	return protection & PROT_READ && bpf_get_current_task_btf()->personality & READ_IMPLIES_EXEC;
}

static __always_inline void loaded(struct proc *p, u64 file)
{
	struct flow_key key = {};
	u64 now = bpf_ktime_get_boot_ns();
	struct view v = {};

	view_mapped_file(&v, file, p->by.container);
	if (v.layer == LAYER_NEW_MOUNT && p->by.session == SESSION_RUNTIME)
		v.layer = LAYER_HOST;
	if (is_of_image(&v))
		return;
	load_key(&key, who_of(p, now), &v);
	if (known(&key, p, now))
		return;
	novel_file(&key, &v, p, WHAT(KIND_LOAD, v.layer, 0));
}

static __always_inline int mapped(u64 address)
{
	struct proc *p = current_proc();
	struct mapping m = {};

	if (!p)
		return 0;
	if (bpf_find_vma(bpf_get_current_task_btf(), address, look_at, &m, 0)) {
		count(COUNTER_VMA_BUSY);
		return 0;
	}
	if (m.file)
		loaded(p, m.file);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(call_mmap, struct pt_regs *regs, long ret)
{
	if (!may_execute(argument(regs, 2)) || argument(regs, 3) & MAP_ANONYMOUS || (u64)ret >= -4095ull)
		return 0;
	return mapped(ret);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(call_mprotect, struct pt_regs *regs, long ret)
{
	if (!may_execute(argument(regs, 2)) || ret)
		return 0;
	return mapped(argument(regs, 0));
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(compat_mmap, struct pt_regs *regs, long ret)
{
	if (!may_execute(compat_argument(regs, 2)) || compat_argument(regs, 3) & MAP_ANONYMOUS || (u32)ret >= -4095u)
		return 0;
	return mapped((u32)ret);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(compat_mprotect, struct pt_regs *regs, long ret)
{
	if (!may_execute(compat_argument(regs, 2)) || ret)
		return 0;
	return mapped(compat_argument(regs, 0));
}
