/* A stamp: which inode a call is about to change, and its names until now. */
#ifndef VEDETTE_CHANGE_TOUCH_BPF_H
#define VEDETTE_CHANGE_TOUCH_BPF_H

#include "change.bpf.h"

/* overlayfs works on its layers with the credentials of whoever mounted it. A request of io_uring may have its own. */
static __always_inline bool is_overridden(struct task_struct *task, u64 request)
{
	u64 cred = (u64)task->cred;

	if (cred == (u64)task->real_cred)
		return false;
	return !request || cred != (u64)AS(io_kiocb, request)->creds;
}

static __always_inline u64 first_alias(u64 inode)
{
	u64 node = (u64)AS(inode, inode)->i_dentry.first;

	return node ? node - bpf_core_field_offset(struct dentry, d_u.d_alias) : 0;
}

static __always_inline u64 next_alias(u64 dentry)
{
	u64 node = (u64)AS(dentry, dentry)->d_u.d_alias.next;

	return node ? node - bpf_core_field_offset(struct dentry, d_u.d_alias) : 0;
}

GLOBAL u64 names_of(struct view *v)
{
	struct view copy = {};

	if (!v)
		return 0;
	copy.dentry = v->dentry;
	copy.superblock = v->superblock;
	copy.magic = v->magic;
	copy.top = v->top;
	return hash_names(&copy);
}

/* Of t->view.inode. Without `names` only which they are. The first is the view's own, whose names are hashed already. */
GLOBAL int keep_aliases(struct touched *t, u32 names)
{
	u64 first, dentry;
	u32 n = 0;

	if (!t)
		return 0;
	first = t->view.dentry;
	dentry = first_alias(t->view.inode);
	for (int i = 0; i < ALIASES; i++) {
		if (!dentry)
			break;
		t->alias[i].dentry = t->view.dentry = dentry;
		t->alias[i].names = !names ? 0 : i ? names_of(&t->view) : t->view.names;
		n = i + 1;
		dentry = next_alias(dentry);
	}
	t->aliases = n;
	t->view.dentry = first;
	return 0;
}

static __always_inline void keep_leaf(struct touched *t, u64 dentry)
{
	struct dentry *d = AS(dentry, dentry);
	u64 length = d->d_name.len;

	t->view.leaf_length = length & NAME_MAX;
	bpf_probe_read_kernel(t->leaf, length & NAME_MAX, d->d_name.name);
}

/* unlink and link take no folder (EISDIR, EPERM); what makes a name is about the inode that has none yet. */
static __always_inline bool is_aside(struct changing *c, u32 mode)
{
	if ((mode & MODE_TYPE) == MODE_FOLDER &&
	    (c->operation == OPERATION_LINK || (c->operation == OPERATION_UNLINK && !c->remove_folder)))
		return true;
	return is_making(c->operation);
}

static __always_inline void touch(struct changing *c, struct touched *t, struct proc *p, bool inner)
{
	u64 inode = c->stamped;
	struct inode *i = AS(inode, inode);
	u64 dentry = first_alias(inode);

	t->view.inode = inode;
	t->view.superblock = (u64)i->i_sb;
	t->ino = i->i_ino;
	t->mode = i->i_mode;
	t->owner = i->i_uid.val;
	t->fresh = !dentry;
	t->inner = inner;
	t->again = 0;
	t->aliases = 0;
	t->aside = dentry && !inner && is_aside(c, t->mode);
	if (!dentry || t->aside)
		return;
	t->folder = (u64)AS(dentry, dentry)->d_parent;
	if (!inner)
		view_seldom(&t->view, inode, dentry, p);
	keep_aliases(t, !inner);
	if (c->operation == OPERATION_RENAME)
		keep_leaf(t, dentry);
}

/* Which row the stamped inode goes into; TOUCHED: none. A call on attributes changes one inode, the last that is stamped: on filesystems
 * of a network the folders on the way are only refreshed. */
GLOBAL u32 row_for(struct changing *c)
{
	u64 inode = c ? c->stamped : 0;

	if (!c || is_attribute(c->operation))
		return 0;
	for (u32 i = 0; i < TOUCHED; i++)
		if (i < c->count && c->touched[i].view.inode == inode)
			return i;
	return c->count < TOUCHED ? c->count : TOUCHED;
}

/* c->stamped */
GLOBAL int note_touched(struct changing *c, struct proc *p, u32 overridden)
{
	u32 magic, row, operation;
	struct touched *t;
	u64 inode, alias;
	bool inner;

	if (!c || !p)
		return 0;
	inode = c->stamped;
	magic = AS(inode, inode)->i_sb->s_magic;
	inner = overridden && magic != MAGIC_OVERLAY;
	operation = c->operation;
	if (magic == MAGIC_PIPE || magic == MAGIC_SOCKET) {
		c->ignored = 1;
		return 0;
	}
	if (inner && operation != OPERATION_LINK && operation != OPERATION_UNLINK && operation != OPERATION_RMDIR)
		return 0;
	alias = first_alias(inode);
	if (is_attribute(operation) && !alias)
		return 0;
	row = row_for(c);
	if (row >= TOUCHED) {
		count(COUNTER_TOUCHED_CUT);
		return 0;
	}
	t = &c->touched[row & (TOUCHED - 1)];
	if (row < c->count && !is_attribute(operation)) {
		t->again |= alias != 0;
		if (t->inner)
			keep_aliases(t, false); /* a whiteout gets its place only after it was made */
		if (!t->fresh || !alias || is_making(operation))
			return 0; /* else it was read from disk, and only now it is changed */
	}
	touch(c, t, p, inner);
	if (row >= c->count)
		c->count = row + 1;
	return 0;
}

#endif
