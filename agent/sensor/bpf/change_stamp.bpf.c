/* The kernel stamps the change time of every inode that a call changes, in the caller's context, on every filesystem (since
 * 6.13 by the three tracepoints below). They fire for every change of every inode of the host: the cheapest test comes first. The
 * runtime's own steps are left out: what it changes lies on no mount of the container's yet.
 */
#include "change_uring.bpf.h"

#define PF_IO_WORKER 0x10

/* No program keeps anything with this task or its leader: then neither has a record. Two loads, where a look-up and the way to the
 * registers are calls of 10 to 15 ns each (the kernel's returns are guarded against speculation). */
static __always_inline bool is_unrecorded(struct task_struct *task)
{
	return !task->bpf_storage && !task->group_leader->bpf_storage;
}

static __always_inline int stamped(u64 inode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;
	struct changing *c;
	struct proc *p;
	u32 call;

	if (is_unrecorded(task))
		return 0;
	if (task->flags & PF_IO_WORKER) /* its registers are those of the call that made it */
		return stamped_by_worker(task, inode);
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	call = changing_call(task, regs);
	if (!call)
		return 0;
	p = proc_of_current(task);
	if (!p || p->by.session == SESSION_RUNTIME)
		return 0;
	c = bpf_task_storage_get(&changings, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!c) {
		count(COUNTER_NO_RECORD);
		return 0;
	}
	if (c->operation != (call & 31))
		start_call(c, call, regs, is_compat(task));
	c->stamped = inode;
	return note_touched(c, p, is_overridden(task, 0));
}

/* Filesystems with multigrain timestamps (ext4, xfs, btrfs, tmpfs) take the other two ways for "now". */
SEC("tp_btf/inode_set_ctime_to_ts")
int BPF_PROG(on_stamp, struct inode *inode)
{
	return stamped((u64)inode);
}

SEC("tp_btf/ctime_ns_xchg")
int BPF_PROG(on_stamp_swapped, struct inode *inode)
{
	return stamped((u64)inode);
}

SEC("tp_btf/ctime_xchg_skip")
int BPF_PROG(on_stamp_kept, struct inode *inode)
{
	return stamped((u64)inode);
}
