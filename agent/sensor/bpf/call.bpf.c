/* One program at every system call's exit leads to the one that cares, by number; 32-bit calls have a table of their own.
 *
 * A program per call (tp/syscalls) would cost other calls a little less, but is blind to int 0x80 (docs/decisions/0003). What
 * it leads to is named call_*, compat_* or both_* (call.bpf.h).
 */
#include "call.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define NR_OPENAT 257
#else
#define NR_OPENAT 56
#endif

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	u64 nr = call_number(regs), native, compat;

	if (nr >= CALLS)
		return 0;
	native = wanted[(nr >> 6) & 7] >> (nr & 63) & 1;
	compat = wanted_compat[(nr >> 6) & 7] >> (nr & 63) & 1;
	if (!native && !compat)
		return 0; /* most calls: before the task is asked for, which costs more than all of this */
	/* A slot that is known beforehand is a plain jump. As a 32-bit call this number is none that anybody wants. */
	if (nr == NR_OPENAT)
		bpf_tail_call_static(ctx, &by_call, NR_OPENAT);
	if (is_compat(bpf_get_current_task_btf())) {
		if (compat)
			bpf_tail_call(ctx, &by_compat_call, nr);
	} else if (native) {
		bpf_tail_call(ctx, &by_call, nr);
	}
	return 0;
}
