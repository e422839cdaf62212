/* What a program gets that a system call's number leads to (call.bpf.c). Named call_* it stands in the table of native calls, compat_*
 * in that of 32-bit ones, both_* in both: then it asks which call this is, so that one that is no hot path is verified once.
 */
#ifndef VEDETTE_CALL_BPF_H
#define VEDETTE_CALL_BPF_H

#include "core_fixes.bpf.h"

#define CALLS 512
/* Bit n: call n is in the table. A test here is cheaper than a tail call into an empty slot. */
const volatile u64 wanted[CALLS / 64] = {};
const volatile u64 wanted_compat[CALLS / 64] = {};

/* Filled by Python before the dispatcher is attached. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, CALLS);
	__type(key, u32);
	__type(value, u32);
} by_call SEC(".maps"), by_compat_call SEC(".maps");

/* n is a constant. */
static __always_inline u64 argument_of(struct pt_regs *regs, int n, bool compat)
{
	return compat ? compat_argument(regs, n) : argument(regs, n);
}

static __always_inline s64 result_of(long ret, bool compat)
{
	return compat ? (s32)ret : ret;
}

#endif
