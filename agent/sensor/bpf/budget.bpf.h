/* What a container may put into the maps and onto the rings, of each kind. */
#ifndef VEDETTE_BUDGET_BPF_H
#define VEDETTE_BUDGET_BPF_H

#include "base.bpf.h"

/* Full: the event is sent as if there were no budget, and COUNTER_NO_BUDGET says so. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct budget_key);
	__type(value, struct budget);
} budgets SEC(".maps");

GLOBAL int make_budget(struct budget_key *key, u64 now)
{
	struct budget fresh = {};
	u64 kind;

	if (!key)
		return 0;
	kind = key->kind & 31;
	HIDE(kind);
	kind &= 31;
	fresh.quota = allowances[kind].quota;
	fresh.rate = allowances[kind].rate;
	fresh.burst = fresh.tokens = allowances[kind].burst;
	fresh.refill_ns = now;
	return bpf_map_update_elem(&budgets, key, &fresh, BPF_NOEXIST);
}

static __always_inline struct budget *budget_of(u64 container, u32 kind, u64 now)
{
	struct budget_key key = { .container = container, .kind = kind };
	struct budget *b = bpf_map_lookup_elem(&budgets, &key);

	if (b)
		return b;
	make_budget(&key, now);
	b = bpf_map_lookup_elem(&budgets, &key);
	if (!b)
		count(COUNTER_NO_BUDGET);
	return b;
}

static __always_inline bool take_token(struct budget *b, u64 now)
{
	u64 was = b->refill_ns, tokens;
	s64 fresh = now > was ? (now - was) * b->rate / 1000000000ull : 0;

	if (fresh && __sync_val_compare_and_swap(&b->refill_ns, was, now) == was) {
		tokens = b->tokens + fresh;
		b->tokens = tokens > b->burst ? b->burst : tokens; /* a racing taker may gain one: harmless */
	}
	if ((s64)__sync_fetch_and_add(&b->tokens, -1) > 0)
		return true;
	add(&b->tokens, 1);
	return false;
}

#endif
