/* Code mapped executable that is not from the image: dropped libraries, LD_PRELOAD, dlopen from memfd.
 *
 * The mapping is the truth, not the descriptor argument: the vma at the returned address holds the file. Memory without a file
 * is a JIT's and no load.
 */
#include "call.bpf.h"
#include "load.bpf.h"

#define PROT_READ 1
#define PROT_EXEC 4
#define MAP_ANONYMOUS 0x20
#define READ_IMPLIES_EXEC 0x0400000

#define COMPAT_NR_MMAP 90

#define MAPPINGS_MAX 32 /* that one mprotect may cover; more are counted */

struct mapping {
	u64 file;
	u64 end;
};
static long look_at(struct task_struct *task, struct vm_area_struct *vma, struct mapping *m)
{
	m->file = vma->vm_flags & VM_EXEC ? (u64)vma->vm_file : 0;
	m->end = vma->vm_end;
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
	u64 now = about_now();
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

struct mapped_walk {
	struct proc *p;
	u64 at;
	u64 end;
};
static long mapped_step(u32 i, struct mapped_walk *w)
{
	struct mapping m = {};

	if (w->at >= w->end)
		return 1;
	if (bpf_find_vma(bpf_get_current_task_btf(), w->at, look_at, &m, 0)) {
		count(COUNTER_VMA_BUSY);
		return 1;
	}
	if (m.file)
		loaded(w->p, m.file);
	w->at = m.end;
	return 0;
}

/* Every mapping from `address` on: one mprotect may cover several. */
static __always_inline int mapped(u64 address, u64 length)
{
	struct mapped_walk w = { .p = current_proc(), .at = address, .end = address + length };

	if (!w.p)
		return 0;
	bpf_loop(MAPPINGS_MAX, mapped_step, &w, 0);
	if (w.at < w.end && w.at != address)
		count(COUNTER_VMA_BUSY);
	return 0;
}

/* i386's first mmap has its arguments in the program's memory, where another thread may change them: there the mapping alone tells. */
static __always_inline bool asks_for_code(struct pt_regs *regs, bool compat)
{
	if (compat && call_number(regs) == COMPAT_NR_MMAP)
		return true;
	return may_execute(argument_of(regs, 2, compat)) && !(argument_of(regs, 3, compat) & MAP_ANONYMOUS);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(both_mmap, struct pt_regs *regs, long ret)
{
	bool compat = is_compat(bpf_get_current_task_btf());

	if (!asks_for_code(regs, compat) || (u64)result_of(ret, compat) >= -4095ull)
		return 0;
	return mapped(compat ? (u32)ret : ret, 1);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(both_mprotect, struct pt_regs *regs, long ret)
{
	bool compat = is_compat(bpf_get_current_task_btf());

	if (!may_execute(argument_of(regs, 2, compat)) || result_of(ret, compat))
		return 0;
	return mapped(argument_of(regs, 0, compat), argument_of(regs, 1, compat));
}
