/* Files changed without an open: their names, owner, mode, size, attributes. Which call it is, its number tells. No string of the
 * program's is read:
 *
 *   stamp ── which inode, its name until now ──┐
 *   the call's end ── did it work? ────────────┴─► the name that is gone, new, or another one now: that is what changed
 */
#include "change_claim.bpf.h"
#include "change_find.bpf.h"
#include "mount.bpf.h"

/* A call that changed files by name or descriptor. What no stamp shows is told as the program said it. */
static __always_inline void changed_files(struct changing *c, struct proc *p, struct pt_regs *regs, u32 place,
					  bool compat)
{
	u32 operation = c->operation;

	conclude(c, p);
	if (c->told || c->ignored)
		return;
	if (c->remove_folder)
		c->operation = OPERATION_RMDIR;
	read_claim(c, regs, place, operation == OPERATION_RENAME || operation == OPERATION_LINK, compat);
	tell_claim(c, p);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(both_change, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 call = changing_call(task, regs), operation = call & 31;
	struct proc *p = proc_of_current(task);
	bool compat = is_compat(task);
	struct changing *c;

	ret = result_of(ret, compat);
	if (!p || p->by.session == SESSION_RUNTIME)
		return 0;
	c = bpf_task_storage_get(&changings, task, 0, ret < 0 ? 0 : BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!c)
		return 0;
	if (ret >= 0) {
		if (c->operation != operation)
			start_call(c, call, regs, compat);
		c->how = compat ? FILE_COMPAT : 0;
		if (operation == OPERATION_MOUNT || operation == OPERATION_UNMOUNT)
			mounted(c, p, regs, call >> 5, ret, compat);
		else
			changed_files(c, p, regs, call >> 5, compat);
	}
	c->operation = 0; /* the next call starts afresh */
	return 0;
}
