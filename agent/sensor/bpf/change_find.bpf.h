/* The call worked: the names of the inodes that it touched, held against those from before. */
#ifndef VEDETTE_CHANGE_FIND_BPF_H
#define VEDETTE_CHANGE_FIND_BPF_H

#include "change_layer.bpf.h"

/* A name that is another one now. The old one was kept; of a file with several cached names, only the first. */
static __always_inline void find_renamed(struct changing *c, struct touched *t, struct proc *p)
{
	for (int i = 0; i < ALIASES; i++) {
		if (i >= t->aliases)
			return;
		if (!is_named(t, t->alias[i].dentry))
			continue;
		c->target = t->view;
		c->target.dentry = t->alias[i].dentry;
		c->target.names = names_of(&c->target);
		if (c->target.names == t->alias[i].names)
			continue;
		c->file = t->view;
		c->file.names = t->alias[i].names;
		c->file.dentry = t->folder;
		c->file.leaf = (u64)t->leaf;
		tell(c, t, p);
		return;
	}
}

/* A name that is gone. */
static __always_inline void find_removed(struct changing *c, struct touched *t, struct proc *p)
{
	for (int i = 0; i < ALIASES; i++) {
		if (i >= t->aliases)
			return;
		if (is_named(t, t->alias[i].dentry))
			continue;
		c->file = t->view;
		c->file.dentry = t->alias[i].dentry;
		c->file.names = t->alias[i].names;
		c->file.flags &= ~FILE_DELETED; /* it wasn't until now */
		c->operation = (t->mode & MODE_TYPE) == MODE_FOLDER ? OPERATION_RMDIR : OPERATION_UNLINK;
		tell(c, t, p);
		return;
	}
}

static __always_inline void find_linked(struct changing *c, struct touched *t, struct proc *p)
{
	u64 dentry = new_name(t);

	if (!dentry)
		return;
	c->target = c->file = t->view;
	c->target.dentry = dentry;
	c->target.names = names_of(&c->target);
	tell(c, t, p);
}

static __always_inline bool is_made_by(u32 operation, u32 mode)
{
	mode &= MODE_TYPE;
	if (operation == OPERATION_MKDIR)
		return mode == MODE_FOLDER;
	if (operation == OPERATION_SYMLINK)
		return mode == MODE_LINK;
	return mode != MODE_FOLDER && mode != MODE_LINK;
}

/* A folder whose entries this call changed. */
static __always_inline bool is_touched(struct changing *c, u64 inode)
{
	for (u32 i = 0; i < TOUCHED; i++)
		if (i < c->count && (!c->touched[i].fresh || c->touched[i].again) && c->touched[i].view.inode == inode)
			return true;
	return false;
}

/* An inode that had no name and has one now. One that a look-up only read from disk lies in a folder that nobody changed. */
static __always_inline void find_made(struct changing *c, struct touched *t, struct proc *p)
{
	u64 inode = t->view.inode, dentry = first_alias(inode);

	if (!dentry || !is_made_by(c->operation, AS(inode, inode)->i_mode) ||
	    !is_touched(c, (u64)AS(dentry, dentry)->d_parent->d_inode))
		return;
	t->ino = AS(inode, inode)->i_ino;
	view_seldom(&c->file, inode, dentry, p);
	tell(c, t, p);
}

struct conclusion {
	struct changing *c;
	struct proc *p;
};
/* Twice through the table: what the container sees, then overlayfs's own layer. */
static long conclude_step(u32 i, struct conclusion *x)
{
	struct changing *c = x->c;
	struct touched *t = &c->touched[i & (TOUCHED - 1)];
	u32 operation = c->operation;
	bool inner = i >= TOUCHED;

	if ((i & (TOUCHED - 1)) >= c->count || t->inner != inner || t->aside)
		return 0;
	c->target.layer = 0;
	if (inner && operation == OPERATION_LINK && !c->told)
		find_linked_inside(c, t, x->p);
	else if (inner && operation != OPERATION_LINK && !c->told)
		find_whiteout(c, t, x->p);
	else if (inner)
		return 0;
	else if (t->fresh && is_making(operation))
		find_made(c, t, x->p);
	else if (t->fresh)
		return 0;
	else if (operation == OPERATION_RENAME)
		find_renamed(c, t, x->p);
	else if (operation == OPERATION_UNLINK || operation == OPERATION_RMDIR)
		find_removed(c, t, x->p);
	else if (operation == OPERATION_LINK)
		find_linked(c, t, x->p);
	else if (is_attribute(operation)) {
		c->file = t->view;
		tell(c, t, x->p);
	}
	return 0;
}

/* The call worked: what did it change? */
static __always_inline void conclude(struct changing *c, struct proc *p)
{
	struct conclusion x = { .c = c, .p = p };

	bpf_loop(2 * TOUCHED, conclude_step, &x, 0);
}

#endif
