/* What every program needs: constants set before load, plain loads, hashing, counters, the maps that are shared. */
#ifndef VEDETTE_BASE_BPF_H
#define VEDETTE_BASE_BPF_H

#include "kernel.h"

char LICENSE[] SEC("license") = "GPL";

/* Constants set before load. */
const volatile u64 seed = 0;		     /* random per boot, never shown: hashes can't be chosen from inside */
const volatile s32 identity_subsystem = -1;  /* cgroup v1 subsystem that names containers; -1: the v2 hierarchy */
const volatile u64 pending_ns = 10000000000; /* a flow that Python didn't answer for so long is sent again */
const volatile u64 task_work_fput = 0;	     /* address of ____fput, or 0: then scripts are claimed, not proven */
struct allowance {
	u64 quota, rate, burst;
};
const volatile struct allowance allowances[32] = {}; /* index: enum kind */

/* Python writes it while we run: the policy generation is part of every flow's key. */
volatile u32 generation = 0;
/* Whole sweeps of the flow map so far; counted by the program `forget_whos`. */
volatile u32 sweep_round = 0;
/* How often entries of `whos` were forgotten: then every process makes its own anew. */
volatile u32 whos_forgotten = 0;
/* Written by Python at every sweep: a tick's length, and the boot time at which tick 0 ends. 0: not known yet. */
volatile u64 tick_ns = 0;
volatile u64 ticks_began_ns = 0;
/* One bit by the hash of each single name that is a tripwire: what has none needs no look-up. Set by Python, never cleared. */
volatile u64 wired_names[WIRED_WORDS] = {};
/* Found by the stock-taking: the mount namespace of the host's first process. */
volatile u64 host_mount_namespace = 0;

/* The compiler must not reason about a value that the verifier has bounded. */
#define HIDE(v) asm volatile("" : "+r"(v))
#define NOINLINE static __attribute__((noinline))
/* Verified once for each program, not again on each path that leads to it: loading takes a fraction of the time. Takes numbers, and
 * pointers to our own memory that may be NULL for all the verifier knows; an address of the kernel is passed inside such memory.
 * Pointers that it writes there are mere numbers to its caller. */
#define GLOBAL __attribute__((noinline))

/* Plain loads that fault to zero (6.2+): half the cost of bpf_probe_read_kernel. */
extern void *bpf_rdonly_cast(const void *obj, u32 btf_id) __ksym;
#define AS(type, p) ((struct type *)bpf_rdonly_cast((void *)(p), bpf_core_type_id_kernel(struct type)))
#define OUTER(type, member, p) AS(type, (u64)(p)-bpf_core_field_offset(struct type, member))
/* One 64-bit word at an address, as a number. Any struct that begins with one will do; void is possible since 6.17 only. */
#define WORD(p) ((u64)AS(timespec64, p)->tv_sec)

/* key: enum counter. Written here, read by Python. Never full. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

static __always_inline void add(u64 *n, s64 by)
{
	__sync_fetch_and_add(n, by);
}

/* Atomic although per CPU: a program in softirq can interrupt another. */
static __always_inline void count(u32 counter)
{
	u64 *n = bpf_map_lookup_elem(&counters, &counter);

	if (n)
		add(n, 1);
}

/* The boot clock, late by two ticks at the most; early only between the end of a suspend and the next sweep. Good enough for when
 * a count was last added to, and a fifteenth of what it costs to read the clock. */
static __always_inline u64 about_now(void)
{
	u64 tick = tick_ns;

	return tick ? ticks_began_ns + bpf_jiffies64() * tick : bpf_ktime_get_boot_ns();
}

/* The second factor is secret. With known ones a flipped bit 63 comes out as the same two bits whatever the hash was before, which
 * the next word can take back: a container could choose two names of one hash. */
static __always_inline u64 mix(u64 h, u64 word)
{
	h = (h ^ word) * 0x9E3779B97F4A7C15ull;
	return (h ^ (h >> 32)) * (seed | 1);
}

/* Rings. Full: counted in `counters`; what that loses is said where it is sent. Sizes are set before load. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} urgent SEC(".maps"), novelty SEC(".maps"), reports SEC(".maps");

/* key: cgroup id. Made by the kernel with a new cgroup, answered and removed by Python. Full: a new cgroup has no entry
 * and is taken for the host's; COUNTER_NO_BUDGET says so and the agent reports a gap. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct container);
} containers SEC(".maps");

#endif
