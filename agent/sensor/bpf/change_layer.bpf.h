/* Changes that overlayfs shows only in its upper layer: a link, and the end of a file of the image. */
#ifndef VEDETTE_CHANGE_LAYER_BPF_H
#define VEDETTE_CHANGE_LAYER_BPF_H

#include "change_names.bpf.h"

/* A file of overlayfs's upper layer, as the container sees it. False: it is not below the upper layer of its root. */
static __always_inline bool view_inner(struct view *v, struct touched *t, u64 dentry, struct proc *p)
{
	u64 id = p->by.container, upper;
	struct container *box = bpf_map_lookup_elem(&containers, &id);
	struct super_block *sb;
	struct dentry *top;

	if (!box || !box->root)
		return false;
	sb = AS(super_block, box->root);
	if (sb->s_magic != MAGIC_OVERLAY || !bpf_core_type_exists(struct ovl_layer))
		return false;
	upper = WORD((u64)AS(ovl_fs, sb->s_fs_info)->layers + bpf_core_field_offset(struct ovl_layer, mnt));
	top = upper ? AS(vfsmount, upper)->mnt_root : NULL;
	if (!top || (u64)top->d_sb != t->view.superblock)
		return false;
	*v = (struct view){ .inode = t->view.inode, .dentry = dentry, .superblock = box->root, .top = (u64)top };
	v->magic = MAGIC_OVERLAY;
	v->dev = sb->s_dev;
	v->real_dev = top->d_sb->s_dev;
	v->ino = t->ino;
	v->generation = AS(inode, t->view.inode)->i_generation;
	v->layer = LAYER_WRITABLE;
	v->names = hash_names(v);
	return !(v->flags & (FILE_CUT | FILE_DISCONNECTED));
}

/* Link: overlayfs stamps only the folder, and the file in its upper layer. */
static __always_inline void find_linked_inside(struct changing *c, struct touched *t, struct proc *p)
{
	u64 dentry = new_name(t);

	if (dentry && t->aliases && view_inner(&c->target, t, dentry, p) &&
	    view_inner(&c->file, t, t->alias[0].dentry, p))
		tell(c, t, p);
	c->target.layer = 0;
}

/* A file of the image is removed by a whiteout in the upper layer: a character device 0:0 of its name. */
static __always_inline void find_whiteout(struct changing *c, struct touched *t, struct proc *p)
{
	struct inode *i = AS(inode, t->view.inode);

	if ((i->i_mode & MODE_TYPE) != MODE_CHARACTER || i->i_rdev || !t->aliases ||
	    !view_inner(&c->file, t, t->alias[0].dentry, p))
		return;
	c->file.layer = LAYER_IMAGE;
	c->file.ino = c->file.real_dev = c->file.generation = 0; /* the image's inode was not touched */
	c->operation = c->remove_folder ? OPERATION_RMDIR : OPERATION_UNLINK;
	c->mode = c->owner = 0;
	tell_change(c, p);
}

#endif
