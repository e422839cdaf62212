/* The container's first mount table, noted in the kernel at the handover, before its first instruction: later mounts by the
 * workload are not in it and no rule allows what is on them. Each row is also sent, so that Python can name files.
 */
#ifndef VEDETTE_MOUNTS_BPF_H
#define VEDETTE_MOUNTS_BPF_H

#include "path.bpf.h"

#define MOUNTS_MAX 2000

struct mount_walk {
	struct scratch *scratch; /* for the records */
	u64 node;		 /* in the namespace's tree, visited in order */
	u64 container;
	u64 root; /* superblock of the root filesystem */
	u64 now;
	u32 state; /* 0 go left, 1 go right, 2 go up */
	u32 n;
};

struct point_walk {
	struct scratch *scratch;
	u64 dentry;
	u64 mount;
	u64 at;
};
/* One name towards the namespace's root, through the mounts on the way. */
static long point_step(u32 i, struct point_walk *w)
{
	struct mount *m = AS(mount, w->mount);
	struct dentry *d = AS(dentry, w->dentry);
	u64 parent = (u64)d->d_parent, at;

	if (w->dentry == (u64)m->mnt.mnt_root || parent == w->dentry) {
		u64 up = (u64)m->mnt_parent;

		if (up == w->mount)
			return 1;
		w->dentry = (u64)m->mnt_mountpoint;
		w->mount = up;
		return 0;
	}
	at = put_name(w->scratch, w->at, name_of(w->dentry), d->d_name.len);
	if (at == NO_ROOM)
		return 1;
	w->at = at;
	w->dentry = parent;
	return 0;
}

static __always_inline void append_mount_point(struct scratch *s, u64 mount)
{
	struct point_walk w = {
		.scratch = s, .dentry = (u64)AS(mount, mount)->mnt.mnt_root, .mount = mount, .at = TEXT_MAX
	};

	bpf_loop(NAMES_MAX, point_step, &w, 0);
	append_names(s, w.at, TEXT_MAX);
}

NOINLINE int note_mount(struct mount_walk *w, u64 node)
{
	struct mount *m = OUTER(mount, mnt_node, node);
	struct superblock_key key;
	struct view v = {};
	struct mount_event *e;
	struct scratch *s = w ? w->scratch : NULL;
	struct actor none = {};
	u32 kind;

	if (!s)
		return 0;
	key = (struct superblock_key){ .container = w->container, .superblock = (u64)m->mnt.mnt_sb };
	kind = key.superblock == w->root ? SUPERBLOCK_ROOT : SUPERBLOCK_MOUNT;
	if ((u64)m->mnt_parent == (u64)m && kind != SUPERBLOCK_ROOT)
		return 0; /* the bottom of the namespace, hidden below the root: the machine's first ramfs */
	if (bpf_map_update_elem(&superblocks, &key, &kind, 0))
		count(COUNTER_MOUNTS_CUT);
	w->n++;
	none.container = w->container;
	begin_in(s, KIND_MOUNT, &none, w->now, sizeof(*e));
	e = (struct mount_event *)s->out;
	v.dentry = (u64)m->mnt.mnt_root;
	v.superblock = key.superblock;
	e->superblock = v.superblock;
	e->dev = AS(super_block, v.superblock)->s_dev;
	e->magic = AS(super_block, v.superblock)->s_magic;
	e->is_root = kind == SUPERBLOCK_ROOT;
	e->read_only = m->mnt.mnt_flags & 64; /* MNT_READONLY */
	append_path(s, &v);
	append_mount_point(s, (u64)m);
	if (send(&urgent, s))
		count(COUNTER_URGENT_LOST);
	return 0;
}

static long mount_step(u32 i, struct mount_walk *w)
{
	struct rb_node *n = AS(rb_node, w->node), *up;
	u64 left = (u64)n->rb_left, right = (u64)n->rb_right, parent = n->__rb_parent_color & ~3ull;

	if (w->state == 0) {
		if (left) {
			w->node = left;
			return 0;
		}
		note_mount(w, w->node);
		w->state = 1;
	}
	if (w->state == 1) {
		if (right) {
			w->node = right;
			w->state = 0;
			return 0;
		}
		w->state = 2;
	}
	if (!parent)
		return 1;
	up = AS(rb_node, parent);
	if ((u64)up->rb_left == w->node) {
		note_mount(w, parent);
		w->state = 1;
	}
	w->node = parent;
	return 0;
}

/* Returns how many rows were noted. */
static __always_inline u32 note_mounts(struct scratch *s, u64 container, u64 namespace, u64 root, u64 now)
{
	struct mount_walk w = { .scratch = s,
				.node = (u64)AS(mnt_namespace, namespace)->mounts.rb_node,
				.container = container,
				.root = root,
				.now = now };

	if (w.node && bpf_loop(MOUNTS_MAX, mount_step, &w, 0) == MOUNTS_MAX)
		count(COUNTER_MOUNTS_CUT);
	return w.n;
}

#endif
