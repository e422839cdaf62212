/* A changed file told: the flow's key, the record, its admission. */
#ifndef VEDETTE_CHANGE_EVENT_BPF_H
#define VEDETTE_CHANGE_EVENT_BPF_H

#include "change.bpf.h"

static __always_inline u64 names_of_change(struct changing *c)
{
	u64 names = c->file.names;

	if (c->target.layer)
		names = mix(mix(seed, names), c->target.names); /* the way back is another change */
	if (c->operation == OPERATION_CHMOD || c->operation == OPERATION_MKNOD)
		names = mix(names, c->mode); /* whether it sets user ids decides a verdict */
	if (c->operation == OPERATION_CHOWN)
		names = mix(names, c->owner);
	return names;
}

static __always_inline struct change_event *begin_change(struct scratch *s, struct changing *c, struct flow_key *key)
{
	struct change_event *e = (struct change_event *)s->out;

	e->key = *key;
	e->operation = c->operation;
	e->mode = c->mode;
	e->owner = c->owner;
	return e;
}

/* Tripwires of both names. A rename is counted below a judged folder only if it stays in that folder. */
static __always_inline void look_up_both(struct parent_look *look, struct changing *c)
{
	if (c->target.layer) {
		look->v = &c->target;
		look->wires_only |= folder_of(&c->file) != folder_of(&c->target);
		look_up_parents(look);
		if (look->tripwire || look->counted)
			return;
		look->wires_only = 1;
	}
	look->v = &c->file;
	look_up_parents(look);
}

/* First sight of this change, or one that waits for its answer. */
GLOBAL int novel_change(struct flow_key *key, struct changing *c, struct proc *p)
{
	struct parent_look look = { .p = p };
	struct admission a = {};
	u32 class, admitted;
	struct change_event *e;
	struct scratch *s;

	if (!key || !c || !p || is_host(p->by.container))
		return 0;
	a.now = look.now = bpf_ktime_get_boot_ns();
	look.class = class = key->what & (0xffff0000 | 31);
	look.dev = c->file.dev;
	look.wires_only = bpf_map_lookup_elem(&flows, key) != NULL;
	look_up_both(&look, c);
	if (look.counted)
		return 0;
	a.urgent = look.tripwire && may_trip(p, a.now);
	admitted = admit(key, p, &a);
	if (admitted == ADMITTED_OVER && !a.urgent) {
		if (!count_at_parent(&c->file, p, class, a.now))
			count_over(&a);
		return 0;
	}
	s = begin(KIND_CHANGE, &p->by, a.now, sizeof(*e));
	if (!s)
		return 0;
	e = begin_change(s, c, key);
	append_path(s, &c->file);
	fill_file(&e->file, &c->file);
	if (c->target.layer) {
		append_path(s, &c->target);
		fill_file(&e->target, &c->target);
	}
	if (admitted == ADMITTED_COUNTED || send_admitted(&a, s))
		keep_tail(key, s, sizeof(*e) + e->event.texts[0]);
	return 0;
}

/* Names come and go with new inodes under them each time: a verdict asks only for the name. */
static __always_inline bool is_of_names(u32 operation)
{
	return operation == OPERATION_RENAME || (operation >= OPERATION_SYMLINK && operation <= OPERATION_MKDIR) ||
	       operation == OPERATION_MKNOD;
}

/* c->file, and c->target where there are two names. */
GLOBAL int tell_change(struct changing *c, struct proc *p)
{
	u64 now = bpf_ktime_get_boot_ns();
	struct flow_key key = {};

	if (!c || !p)
		return 0;
	c->told++;
	c->file.flags |= c->how;
	key.who = who_of(p, now);
	key.names = names_of_change(c);
	key.dev = c->file.dev;
	if (!is_of_names(c->operation)) {
		key.ino = c->file.ino;
		key.real_dev = c->file.real_dev;
		key.generation = c->file.generation;
	}
	key.what = WHAT(KIND_CHANGE, c->file.layer, c->operation | c->file.flags << 5);
	if (!known(&key, p, now))
		novel_change(&key, c, p);
	return 0;
}

#endif
