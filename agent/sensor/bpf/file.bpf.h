/* File flows: what opens, loads and changes have in common after the file has been examined. */
#ifndef VEDETTE_FILE_BPF_H
#define VEDETTE_FILE_BPF_H

#include "flow.bpf.h"

#define PARENTS 4 /* folders above a file that a prefix or a tripwire may name */

/* The mount table's answer for the superblock that this task touched last, else a look-up. */
static __always_inline u32 cached_kind(struct proc *p, u64 superblock)
{
	if (p->last_superblock != superblock) {
		p->last_kind = superblock_kind(p->by.container, superblock);
		p->last_superblock = superblock;
	}
	return p->last_kind;
}

/* Before the handover the container has no mounts of its own: the runtime still works on the host's files. */
static __always_inline void view_for(struct view *v, u64 inode, u64 dentry, struct proc *p)
{
	v->inode = inode;
	v->dentry = dentry;
	v->superblock = (u64)AS(inode, inode)->i_sb;
	v->top = v->leaf = 0;
	examine(v, cached_kind(p, v->superblock), false);
	if (v->layer == LAYER_NEW_MOUNT && p->by.session == SESSION_RUNTIME)
		v->layer = LAYER_HOST;
}

/* v->inode, v->dentry */
GLOBAL int view_known(struct view *v, struct proc *p)
{
	if (v && p)
		view_for(v, v->inode, v->dentry, p);
	return 0;
}

/* view_for where it may cost a call. */
static __always_inline void view_seldom(struct view *v, u64 inode, u64 dentry, struct proc *p)
{
	v->inode = inode;
	v->dentry = dentry;
	view_known(v, p);
}

static __always_inline bool tripped(struct tripwire_key *key)
{
	u64 container = key->container;
	bool hit = bpf_map_lookup_elem(&tripwires, key);

	if (hit)
		return true;
	key->container = 0;
	hit = bpf_map_lookup_elem(&tripwires, key);
	key->container = container;
	return hit;
}

/* One name of a path, by its own hash. */
static __always_inline bool name_tripped(u64 container, u64 name)
{
	struct tripwire_key key = { .container = container, .names = name };

	if (!(wired_names[(name >> 6) & (WIRED_WORDS - 1)] >> (name & 63) & 1))
		return false;
	return bpf_map_lookup_elem(&tripwires, &key) != NULL;
}

static __always_inline u64 own_name(u64 dentry)
{
	return fold(seed, name_of(dentry), AS(dentry, dentry)->d_name.len);
}

struct parent_look {
	struct view *v;
	struct proc *p;
	u64 folder; /* to look at next */
	u64 now;
	u32 class;
	u32 dev;
	u8 wires_only; /* no counting below prefixes */
	u8 tripwire;
	u8 counted;
	u8 pad;
};
static long parent_step(u32 i, struct parent_look *l)
{
	struct view folder = {
		.dentry = l->folder, .superblock = l->v->superblock, .magic = l->v->magic, .top = l->v->top
	};
	u64 above = (u64)AS(dentry, l->folder)->d_parent;
	struct prefix_key key = { .container = l->p->by.container, .dev = l->dev, .what = l->class };
	struct tripwire_key wire = { .container = key.container, .dev = l->dev };

	wire.names = key.names = hash_names(&folder);
	if (tripped(&wire) || name_tripped(key.container, own_name(l->folder))) {
		l->tripwire = 1;
		return 1;
	}
	if (!l->wires_only && !l->v->flags &&
	    count_prefix(&key, i ? SCOPE(PREFIX_TREE) : SCOPES_JUDGED, l->p, l->now)) {
		l->counted = 1; /* Python never answers for a folder with a tripwire above or below it */
		return 1;
	}
	if (above == l->folder || l->folder == l->v->top)
		return 1;
	l->folder = above;
	return 0;
}

/* Is it, or a folder above it, denied? Is it below a folder where files are only counted? */
static __always_inline void look_up_parents(struct parent_look *l)
{
	struct tripwire_key wire = { .container = l->p->by.container, .names = l->v->names, .dev = l->dev };
	struct view *v = l->v;
	u64 name = v->leaf ? fold(seed, v->leaf, v->leaf_length) : own_name(v->dentry);

	if (tripped(&wire) || name_tripped(wire.container, name)) {
		l->tripwire = 1;
		return;
	}
	l->folder = folder_of(l->v);
	if (l->folder != l->v->dentry || l->v->leaf)
		bpf_loop(PARENTS, parent_step, l, 0);
}

/* The quota is spent: count at the parent folder, which is itself news once. */
static __always_inline bool count_at_parent(struct view *v, struct proc *p, u32 class, u64 now)
{
	struct view folder = { .dentry = folder_of(v), .superblock = v->superblock, .magic = v->magic, .top = v->top };
	struct prefix_key key = { .container = p->by.container, .dev = v->dev, .what = class };
	struct prefix fresh = { .count = 1, .last_ns = now, .actor = p->actor };
	struct budget *b = budget_of(p->by.container, KIND_MANY, now);
	struct file_event *e;
	struct scratch *s;

	key.names = folder.names = hash_names(&folder);
	if (count_prefix(&key, SCOPES_ALL, p, now))
		return true;
	if (!b || __sync_fetch_and_add(&b->flows, 1) >= b->quota) {
		if (b)
			add(&b->flows, -1);
		return false;
	}
	if (bpf_map_update_elem(&prefixes, &key, &fresh, BPF_NOEXIST)) {
		add(&b->flows, -1);
		return count_prefix(&key, SCOPES_ALL, p, now);
	}
	s = begin(KIND_MANY, &p->by, now, sizeof(*e));
	if (!s)
		return true;
	e = (struct file_event *)s->out;
	folder.dev = v->dev;
	folder.layer = v->layer;
	fill_file(&e->file, &folder);
	e->key.names = key.names;
	e->key.dev = key.dev;
	e->key.what = class;
	append_path(s, &folder);
	if (send(&novelty, s))
		count(COUNTER_NOVELTY_LOST);
	return true;
}

/* A flow that could not be sent keeps the end of its path for the sweep. */
static __always_inline void keep_tail(struct flow_key *key, struct scratch *s, u64 end)
{
	struct tail t = {};
	u64 from = end > sizeof(t.text) ? end - sizeof(t.text) : 0;

	if (end > OUT_MASK)
		return;
	bpf_probe_read_kernel(t.text, sizeof(t.text), &s->out[from & OUT_MASK]);
	bpf_map_update_elem(&tails, key, &t, BPF_NOEXIST);
}

/* First sight of a file in this use, or one that waits for its answer. `class` is the prefix key's `what`. */
GLOBAL int novel_file(struct flow_key *key, struct view *v, struct proc *p, u64 access_class)
{
	struct parent_look look = { .v = v, .p = p, .class = access_class };
	struct admission a = {};
	u32 kind, admitted;
	struct file_event *e;
	struct scratch *s;

	if (!key || !v || !p)
		return 0;
	if (is_host(p->by.container)) {
		bpf_task_storage_delete(&procs, bpf_get_current_task_btf());
		return 0;
	}
	kind = key->what >> 24;
	a.now = look.now = bpf_ktime_get_boot_ns();
	look.dev = v->dev;
	look.wires_only = bpf_map_lookup_elem(&flows, key) !=
			  NULL; /* one that has an entry was counted there already */
	look_up_parents(&look);
	if (look.counted)
		return 0;
	a.urgent = look.tripwire && may_trip(p, a.now);
	admitted = admit(key, p, &a);
	if (admitted == ADMITTED_OVER && !a.urgent) {
		if (!count_at_parent(v, p, access_class, a.now))
			count_over(&a);
		return 0;
	}
	s = begin(kind, &p->by, a.now, sizeof(*e));
	if (!s)
		return 0;
	e = (struct file_event *)s->out;
	append_path(s, v);
	e->key = *key;
	fill_file(&e->file, v);
	e->file.ctime_ns = kind == KIND_LOAD ? change_time(v) : 0;
	e->access = access_class & 0xffff;
	if (kind == KIND_OPEN)
		e->access = key->what & 31;
	if (admitted == ADMITTED_COUNTED || send_admitted(&a, s))
		keep_tail(key, s, s->length);
	return 0;
}

#endif
