/* Mounts made by a container: what is mounted, and on which folder. Both are told as files, so that neither chroot nor the mounts
 * on the way change the names. What can't be found after the call (an unmounted tree, a remount, a moved one, a recursive
 * bind) is told by the strings that the program passed.
 */
#ifndef VEDETTE_MOUNT_BPF_H
#define VEDETTE_MOUNT_BPF_H

#include "change_claim.bpf.h"
#include "open.bpf.h"

/* Numbers that are the same on every machine. */
#define NR_MOVE_MOUNT 429
#define NR_FSMOUNT 432
#define NR_MOUNT_SETATTR 442

#define MS_REMOUNT 32
#define MS_MOVE 8192
#define MS_REC 16384
#define MS_PROPAGATION (15 << 17) /* unbindable, private, slave, shared */
#define MS_MAGIC_MASK 0xffff0000
#define MS_MAGIC 0xc0ed0000
#define FROM_DESCRIPTOR 4 /* MOVE_MOUNT_F_EMPTY_PATH */

/* mount(2) that adds one mount. */
static __always_inline bool adds_one(u64 flags)
{
	if ((flags & MS_MAGIC_MASK) == MS_MAGIC)
		flags &= ~MS_MAGIC_MASK;
	return !(flags & (MS_REMOUNT | MS_MOVE | MS_REC | MS_PROPAGATION));
}

/* A namespace's mounts are ordered by an id that only grows. */
static __always_inline u64 newest_mount(struct task_struct *task)
{
	struct mnt_namespace *ns = task->nsproxy->mnt_ns;
	u64 node;

	if (!bpf_core_field_exists(ns->mnt_last_node))
		return 0;
	node = (u64)AS(mnt_namespace, ns)->mnt_last_node;
	return node ? (u64)OUTER(mount, mnt_node, node) : 0;
}

static __always_inline u64 mount_of_descriptor(struct changing *c, struct task_struct *task, u64 fd)
{
	u64 file = file_at(task, (u32)fd);

	if (!file)
		return 0;
	c->how |= suspect(task, file);
	return (u64)OUTER(mount, mnt, AS(file, file)->f_path.mnt);
}

static __always_inline u64 find_mount(struct changing *c, struct task_struct *task, struct pt_regs *regs, long ret,
				      bool compat)
{
	u64 nr = call_number(regs);

	if (c->operation != OPERATION_MOUNT || nr == NR_MOUNT_SETATTR)
		return 0;
	if (nr == NR_FSMOUNT)
		return mount_of_descriptor(c, task, ret);
	if (nr == NR_MOVE_MOUNT)
		return argument_of(regs, 4, compat) & FROM_DESCRIPTOR
			       ? mount_of_descriptor(c, task, argument_of(regs, 0, compat))
			       : 0;
	return adds_one(argument_of(regs, 3, compat)) ? newest_mount(task) : 0;
}

static __always_inline void tell_mount(struct changing *c, struct proc *p, u64 mount)
{
	struct mount *m = AS(mount, mount);
	struct dentry *root = m->mnt.mnt_root, *point = m->mnt_mountpoint;

	view_seldom(&c->file, (u64)root->d_inode, (u64)root, p);
	c->target.layer = 0;
	if ((u64)m->mnt_parent != mount) /* else it is in no tree */
		view_seldom(&c->target, (u64)point->d_inode, (u64)point, p);
	tell_change(c, p);
}

/* pivot_root is no mount(2), though its table says it makes one. */
static __always_inline int mounted(struct changing *c, struct proc *p, struct pt_regs *regs, u32 place, long ret,
				   bool compat)
{
	u64 mount = place == PLACE_FIRST ? 0 : find_mount(c, bpf_get_current_task_btf(), regs, ret, compat);
	bool two = c->operation == OPERATION_MOUNT && call_number(regs) != NR_MOUNT_SETATTR;

	if (mount) {
		tell_mount(c, p, mount);
		return 0;
	}
	read_claim(c, regs, place, two, compat);
	return tell_claim(c, p);
}

#endif
