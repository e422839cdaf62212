/* Every difference between kernels is one accessor here, with the release that made it. */
#ifndef VEDETTE_CORE_FIXES_BPF_H
#define VEDETTE_CORE_FIXES_BPF_H

#include "base.bpf.h"

/* 6.18: every namespace has a 64-bit id that is never reused; before, only mount namespaces had one (seq). Inode numbers of
 * namespaces are handed out again at once and identify nothing. */
static __always_inline u64 mount_namespace_id(struct mnt_namespace *ns)
{
	if (bpf_core_field_exists(ns->ns.ns_id))
		return AS(mnt_namespace, ns)->ns.ns_id;
	if (bpf_core_field_exists(ns->seq))
		return AS(mnt_namespace, ns)->seq;
	return (u64)ns;
}

/* 6.13: file_ref_t, where 0 means one reference. */
struct file___before_6_13 {
	atomic64_t f_count;
} __attribute__((preserve_access_index));

static __always_inline bool has_more_references(struct file *file)
{
	struct file___before_6_13 *old = (void *)file;

	if (bpf_core_field_exists(file->f_ref))
		return AS(file, file)->f_ref.refcnt.counter != 0;
	return bpf_core_field_exists(old->f_count) && WORD((u64)file + bpf_core_field_offset(old->f_count)) != 1;
}

#define X32_BIT 0x40000000ull /* programs of the x32 ABI: the same calls under the same numbers, with this bit */

/* The number of the system call that a task is in, or was entered with. */
static __always_inline u64 call_number(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return AS(pt_regs, regs)->orig_ax & ~X32_BIT;
#else
	return (u32)AS(pt_regs, regs)->syscallno;
#endif
}

/* A 32-bit call on a 64-bit kernel: TS_COMPAT on x86 (int 0x80), which has numbers of its own. */
static __always_inline bool is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & 2;
#else
	return false;
#endif
}

/* Arguments of the call, in order; n is a constant. A 32-bit call has them in bx, cx, dx, si, di, bp. */
static __always_inline u64 argument(struct pt_regs *regs, int n)
{
	struct pt_regs *r = AS(pt_regs, regs);
#if defined(__TARGET_ARCH_x86)
	return n == 0 ? r->di : n == 1 ? r->si : n == 2 ? r->dx : n == 3 ? r->r10 : n == 4 ? r->r8 : r->r9;
#else
	return n == 0 ? r->orig_x0 : r->regs[n];
#endif
}

static __always_inline u64 compat_argument(struct pt_regs *regs, int n)
{
#if defined(__TARGET_ARCH_x86)
	struct pt_regs *r = AS(pt_regs, regs);

	return (u32)(n == 0 ? r->bx : n == 1 ? r->cx : n == 2 ? r->dx : n == 3 ? r->si : n == 4 ? r->di : r->bp);
#else
	return argument(regs, n);
#endif
}

/* The cgroup that a socket was made in: always of the v2 hierarchy. An accepted socket has its listener's. */
static __always_inline struct cgroup *socket_cgroup(struct sock *sk)
{
	return sk->sk_cgrp_data.cgroup;
}

#endif
