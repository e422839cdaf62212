/* The flow map (docs/decisions/0001): a repeat is counted here and costs Python nothing; a first sight is sent.
 *
 *   known?  ── yes ─► count, done
 *     no ─► below a judged prefix? ─► count there, done
 *        ─► quota left? ── no ─► count at the parent folder, or in the budget's `over`
 *        ─► insert as UNSENT ─► token? ring? ── no ─► stays UNSENT: the sweep tells Python
 *                                       └─ yes ─► PENDING, until Python's log took it
 *
 * The entry is in the map before anything is sent: no window in which an event is neither counted nor on a ring.
 */
#ifndef VEDETTE_FLOW_BPF_H
#define VEDETTE_FLOW_BPF_H

#include "path.bpf.h"
#include "privilege.bpf.h"

/* Written here and by the program `answer`; removed by the sweep. Full: COUNTER_MAP_FULL and the budget's `over`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

/* Folders and networks below which is only counted: made by Python, or here where a quota is spent; read by the sweep. Full: the
 * budget's `over` counts. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix_key);
	__type(value, struct prefix);
} prefixes SEC(".maps");

/* Ends of the paths of flows that could not be sent, for the sweep. Full: the flow is reported without a name. */
struct tail {
	char text[64];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct tail);
} tails SEC(".maps");

/* Denied files and folders by (container, name hash), denied networks by prefix: they pass every budget. Written by Python. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tripwire_key);
	__type(value, u32);
} tripwires SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tripwire_network);
	__type(value, u32);
} tripwire_networks SEC(".maps");

/* What a first sight has to know to be sent. */
struct admission {
	struct flow *flow; /* NULL: a tripwire beyond the quota; sent, but not remembered */
	struct budget *budget;
	u64 now;
	u32 urgent;
	u32 pad;
};

/* The hash of it, with an entry that says what it stands for; 0: no room. */
NOINLINE u64 remember_who(struct who *w, u64 now)
{
	struct budget *b;
	u64 who;

	if (!w)
		return 0;
	who = mix(mix(mix(seed, w->container), w->exe),
		  (u64)w->euid << 32 | (u64)w->generation << 8 | w->session << 1 | w->tty);
	if (bpf_map_lookup_elem(&whos, &who))
		return who;
	b = budget_of(w->container, KIND_WHO, now);
	if (b && __sync_fetch_and_add(&b->flows, 1) >= b->quota) {
		add(&b->flows, -1);
		add(&b->over, 1);
		return 0;
	}
	w->round = sweep_round;
	if (!bpf_map_update_elem(&whos, &who, w, BPF_NOEXIST))
		return who;
	if (b)
		add(&b->flows, -1);
	if (bpf_map_lookup_elem(&whos, &who))
		return who; /* another CPU was first */
	count(COUNTER_WHO_FULL);
	return 0;
}

/* `who` under the present policies, from what the record holds: also for a record that outlived its task. */
NOINLINE int name_who(struct proc *p, u64 now)
{
	struct who w = {};

	if (!p)
		return 0;
	p->generation = generation;
	p->forgotten = whos_forgotten;
	w.container = p->by.container;
	w.exe = p->by.exe;
	w.exe_ino = p->exe_ino;
	w.exe_dev = p->exe_dev;
	w.euid = p->by.euid;
	w.generation = p->generation;
	w.session = p->by.session;
	w.tty = p->by.tty;
	p->who = remember_who(&w, now);
	return 0;
}

/* Make `who` anew: after an exec, a change of credentials or of the policies. */
static __always_inline void renew_who(struct proc *p, u64 now)
{
	watch_credentials(p, CHANGED_IN_PLACE);
	p->by.tty = bpf_get_current_task_btf()->signal->tty != NULL;
	name_who(p, now);
}

/* Credentials are a new object whenever they change: comparing the pointer is enough to notice. */
static __always_inline u64 who_of_current(struct proc *p, struct task_struct *task, u64 now)
{
	if (p->who && p->cred == (u64)task->real_cred && p->generation == generation && p->forgotten == whos_forgotten)
		return p->who;
	renew_who(p, now);
	return p->who;
}

static __always_inline u64 who_of(struct proc *p, u64 now)
{
	return who_of_current(p, bpf_get_current_task_btf(), now);
}

static __always_inline void hit(struct flow *f, const struct proc *p, u64 now)
{
	add(&f->count, 1);
	f->last_ns = now;
	f->actor = p->actor;
}

/* True: counted, and nothing else is to be done. `now` may be about_now(). */
static __always_inline bool known(struct flow_key *key, const struct proc *p, u64 now)
{
	struct flow *f = bpf_map_lookup_elem(&flows, key);

	if (!f)
		return false;
	if (__sync_fetch_and_add(&f->count, 1) & FLOW_RETIRED) {
		struct budget *b = budget_of(p->by.container, key->what >> 24, now);

		if (b)
			add(&b->over, 1);
		return true;
	}
	f->last_ns = now;
	f->actor = p->actor;
	if (f->state >= FLOW_KNOWN)
		return true;
	return f->state == FLOW_PENDING && (s64)(now - f->emitted_ns) < (s64)pending_ns;
}

/* May a tripwire's record pass every other budget? Beyond its own, a flood of denied things would fill the urgent ring, at the cost
 * of other containers: then it is news like any other. */
static __always_inline bool may_trip(const struct proc *p, u64 now)
{
	struct budget *b = budget_of(p->by.container, KIND_TRIPWIRE, now);

	return !b || take_token(b, now);
}

#define SCOPE(s) (1u << (s))
#define SCOPES_JUDGED (SCOPE(PREFIX_TREE) | SCOPE(PREFIX_CHILDREN))
#define SCOPES_ALL (SCOPES_JUDGED | SCOPE(PREFIX_OVER))

/* `scopes`: which kinds of prefix count here. One that the kernel made because the quota was spent counts only while it is. */
static __always_inline bool count_prefix(struct prefix_key *key, u32 scopes, const struct proc *p, u64 now)
{
	struct prefix *x = bpf_map_lookup_elem(&prefixes, key);

	if (!x || !(scopes >> (x->judged & 3) & 1))
		return false;
	add(&x->count, 1);
	x->last_ns = now;
	x->actor = p->actor;
	return true;
}

enum admitted {
	ADMITTED_SEND = 1,
	ADMITTED_COUNTED = 2, /* in the map; the sweep tells Python */
	ADMITTED_OVER = 3,    /* no room: the caller counts it elsewhere, or sends it if it is a tripwire */
};

/* An entry for a flow that has none, or one that waits for its answer. */
NOINLINE int admit(struct flow_key *key, struct proc *p, struct admission *a)
{
	struct flow fresh = {};
	struct flow *f;
	long error;

	if (!key || !p || !a)
		return ADMITTED_COUNTED;
	a->flow = NULL;
	a->budget = budget_of(p->by.container, key->what >> 24, a->now);
	f = bpf_map_lookup_elem(&flows, key);
	if (!f) {
		if (!key->who)
			return ADMITTED_OVER;
		if (a->budget && __sync_fetch_and_add(&a->budget->flows, 1) >= a->budget->quota) {
			add(&a->budget->flows, -1);
			return ADMITTED_OVER;
		}
		fresh.first_ns = a->now;
		error = bpf_map_update_elem(&flows, key, &fresh, BPF_NOEXIST);
		if (error && a->budget)
			add(&a->budget->flows, -1);
		f = bpf_map_lookup_elem(&flows, key);
		if (!f) {
			count(COUNTER_MAP_FULL);
			return ADMITTED_OVER;
		}
		hit(f, p, a->now);
		if (error)
			return ADMITTED_COUNTED; /* another CPU was first: it sends */
	}
	a->flow = f;
	if (!a->urgent && a->budget && !take_token(a->budget, a->now)) {
		add(&a->budget->unsent, 1);
		return ADMITTED_COUNTED;
	}
	return ADMITTED_SEND;
}

static __always_inline void count_over(struct admission *a)
{
	if (a->budget)
		add(&a->budget->over, 1);
}

/* The ring took it, or not. */
static __always_inline void settle(struct admission *a, long error)
{
	if (error) {
		count(a->urgent ? COUNTER_URGENT_LOST : COUNTER_NOVELTY_LOST);
		if (a->budget)
			add(a->flow ? &a->budget->unsent : &a->budget->lost, 1);
		return;
	}
	if (a->budget)
		add(&a->budget->sent, 1);
	if (a->flow) {
		a->flow->emitted_ns = a->now;
		a->flow->state = FLOW_PENDING;
	}
}

static __always_inline long send_admitted(struct admission *a, struct scratch *s)
{
	long error = a->urgent ? send(&urgent, s) : send(&novelty, s);

	settle(a, error);
	return error;
}

#endif
