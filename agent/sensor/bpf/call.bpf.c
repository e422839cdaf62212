/* One program at every system call's exit leads to the one that cares, by number; 32-bit calls have a table of their own.
 *
 * A program per call (tp/syscalls) would cost other calls a little less, but is blind to int 0x80 (docs/decisions/0003). The
 * programs named call_* and compat_* are tail-called; Python fills the tables before it attaches this one.
 */
#include "open.bpf.h"

#define CALLS 512
#define X32_BIT 0x40000000ull /* programs of the x32 ABI: the same calls under the same numbers, with this bit */
/* Bit n: call n is in the table. A test here is cheaper than a tail call into an empty slot. */
const volatile u64 wanted[CALLS / 64] = {};
const volatile u64 wanted_compat[CALLS / 64] = {};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, CALLS);
	__type(key, u32);
	__type(value, u32);
} by_call SEC(".maps"), by_compat_call SEC(".maps");

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 nr = call_number(regs) & ~X32_BIT;

	if (nr >= CALLS)
		return 0;
	if (is_compat(task)) {
		if (wanted_compat[(nr >> 6) & 7] >> (nr & 63) & 1)
			bpf_tail_call(ctx, &by_compat_call, nr);
	} else if (wanted[(nr >> 6) & 7] >> (nr & 63) & 1) {
		bpf_tail_call(ctx, &by_call, nr);
	}
	return 0;
}
