/* What Python asks of the flow map, run by BPF_PROG_TEST_RUN: no counted value is ever rewritten from user space, so no hit is
 * lost (docs/decisions/0002).
 */
#include "flow.bpf.h"

#define ANSWERS 1024
#define WHO_ROUNDS 4 /* a process that is being born has a name, but no flow yet */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ANSWERS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct answer);
} answers SEC(".maps");

struct answer_args {
	u32 count;
};
static long answer_step(u32 i, void *unused)
{
	struct answer *a = bpf_map_lookup_elem(&answers, &i);
	struct flow_key key;
	struct flow *f;

	if (!a)
		return 1;
	key = a->key;
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f)
		return 0;
	if (a->state == FLOW_PENDING) /* its verdict is forgotten, not its count: sent again at the next hit */
		f->emitted_ns = 0;
	f->state = a->state;
	return 0;
}

SEC("syscall")
int answer(struct answer_args *args)
{
	bpf_loop(args->count < ANSWERS ? args->count : ANSWERS, answer_step, NULL, 0);
	return 0;
}

/* One pass over the flows. A flow whose count changed since it was sent or reported is reported (see `whole`), and so is one that
 * was never taken by the log; what was seen once and is in the log says nothing new. A flow that was idle for `idle_ns` is
 * retired: its count word gets a bit, so that a hit that comes in just then sees it and counts elsewhere. It is deleted by the
 * next pass, when no program can still hold a pointer to it. With `container`, only that container's flows, and all retired. */
struct sweep_args {
	u64 container; /* 0: all */
	u64 idle_ns;
	u64 now;
	u32 full; /* out, and returned: the ring was full, sweep again after reading */
	u32 reported;
	u32 deleted;
	u32 whole; /* tell of every flow whose count moved; else of a known one only if it doubled */
};

static __always_inline bool report(struct flow_key *key, struct flow *f, struct who *w, u64 count_now, bool retired)
{
	struct report *r = bpf_ringbuf_reserve(&reports, sizeof(*r), 0);
	struct tail *t;

	if (!r)
		return false;
	__builtin_memset(r, 0, sizeof(*r));
	r->key = *key;
	if (w)
		r->who = *w;
	r->count = count_now;
	r->added = count_now - f->reported;
	r->first_ns = f->first_ns;
	r->last_ns = f->last_ns > f->first_ns ? f->last_ns : f->first_ns; /* they are of two clocks: about_now */
	r->actor = f->actor;
	r->state = f->state;
	r->retired = retired;
	t = bpf_map_lookup_elem(&tails, key);
	if (t)
		__builtin_memcpy(r->tail, t->text, sizeof(r->tail));
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	f->reported = count_now;
	return true;
}

static __always_inline void delete_flow(struct flow_key *key, struct who *w)
{
	struct flow_key copy = *key;
	struct budget_key bk = { .container = w ? w->container : 0, .kind = key->what >> 24 };
	struct budget *b = bpf_map_lookup_elem(&budgets, &bk);

	bpf_map_delete_elem(&tails, &copy);
	if (!bpf_map_delete_elem(&flows, &copy) && b)
		add(&b->flows, -1);
}

static long sweep_step(void *map, struct flow_key *key, struct flow *f, struct sweep_args *args)
{
	struct flow_key copy = *key;
	u64 who = key->who, counted = f->count, last = f->last_ns;
	struct who *w = bpf_map_lookup_elem(&whos, &who);
	bool ended;

	if (w)
		w->round = sweep_round;
	if (args->container && (!w || w->container != args->container))
		return 0;
	if (counted & FLOW_RETIRED) {
		delete_flow(&copy, w);
		args->deleted++;
		return 0;
	}
	ended = args->container || (args->idle_ns && last < args->now && args->now - last > args->idle_ns);
	if (ended) { /* unanswered ones too: what no policy may remember stays PENDING for ever */
		if (__sync_val_compare_and_swap(&f->count, counted, counted | FLOW_RETIRED) != counted)
			return 0; /* not idle after all */
		if (!report(&copy, f, w, counted, true)) {
			__sync_fetch_and_and(&f->count, ~FLOW_RETIRED);
			args->full = 1;
			return 1;
		}
		args->reported++;
		return 0;
	}
	if (counted == f->reported || (counted == 1 && f->state >= FLOW_KNOWN))
		return 0;
	if (!args->whole && f->state == FLOW_KNOWN && counted < 2 * f->reported)
		return 0; /* what is done all the time would be told all the time */
	if (!report(&copy, f, w, counted, false)) {
		args->full = 1;
		return 1;
	}
	args->reported++;
	return 0;
}

SEC("syscall")
int sweep(struct sweep_args *args)
{
	struct sweep_args a = *args;

	bpf_for_each_map_elem(&flows, sweep_step, &a, 0);
	*args = a;
	return a.full;
}

static long forget_step(void *map, u64 *key, struct who *w, u32 *forgotten)
{
	u64 who = *key;
	struct budget_key bk = { .container = w->container, .kind = KIND_WHO };
	struct budget *b = bpf_map_lookup_elem(&budgets, &bk);

	if ((u16)(sweep_round - w->round) < WHO_ROUNDS)
		return 0;
	*forgotten = 1;
	if (!bpf_map_delete_elem(&whos, &who) && b)
		add(&b->flows, -1);
	return 0;
}

/* After a whole sweep: forget every `who` that had no flow in the last ones, so that a container's budget of them is spent by
 * what it runs, not by what it ever ran. A process that is still there makes it anew with its next event. */
SEC("syscall")
int forget_whos(void *ctx)
{
	u32 forgotten = 0;

	sweep_round++;
	bpf_for_each_map_elem(&whos, forget_step, &forgotten, 0);
	if (forgotten)
		whos_forgotten++;
	return 0;
}

/* The kernel's count of ticks, from which Python makes tick_ns and ticks_began_ns. */
SEC("syscall")
int read_ticks(u64 *ticks)
{
	*ticks = bpf_jiffies64();
	return 0;
}
