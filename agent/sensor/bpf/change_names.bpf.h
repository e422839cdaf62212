/* The names of a touched inode after the call. */
#ifndef VEDETTE_CHANGE_NAMES_BPF_H
#define VEDETTE_CHANGE_NAMES_BPF_H

#include "change_event.bpf.h"
#include "change_touch.bpf.h"

/* The same inode is still there. */
static __always_inline bool is_alive(struct touched *t)
{
	struct inode *i = AS(inode, t->view.inode);

	return i->i_ino == t->ino && (u64)i->i_sb == t->view.superblock;
}

static __always_inline bool is_named(struct touched *t, u64 dentry)
{
	struct dentry *d = AS(dentry, dentry);

	return (u64)d->d_inode == t->view.inode &&
	       (d->d_hash.pprev || (u64)d->d_parent == dentry); /* roots aren't hashed */
}

static __always_inline void tell(struct changing *c, struct touched *t, struct proc *p)
{
	c->mode = t->mode;
	c->owner = t->owner;
	if (is_alive(t)) {
		c->mode = AS(inode, t->view.inode)->i_mode;
		c->owner = AS(inode, t->view.inode)->i_uid.val;
	}
	tell_change(c, p);
}

/* A name that was not there: new ones come first in the inode's list. */
static __always_inline u64 new_name(struct touched *t)
{
	u64 dentry = first_alias(t->view.inode);

	if (!is_alive(t) || !dentry)
		return 0;
	for (int i = 0; i < ALIASES; i++)
		if (i < t->aliases && t->alias[i].dentry == dentry)
			return 0;
	return is_named(t, dentry) ? dentry : 0;
}

#endif
