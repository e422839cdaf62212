/* Who is in a container: cgroups made and removed, tasks born in them or moved into them.
 *
 * A new cgroup is taken for a container until Python has read the runtimes' records and answers (fail closed). Cgroups that
 * were there before the agent are entered by Python itself.
 */
#include "file.bpf.h"

const volatile s32 identity_hierarchy = 0; /* hierarchy id of the cgroups that name containers; v2: 0 */

#define CLONE_THREAD 0x10000

static __always_inline u64 parent_id(struct cgroup *cgroup)
{
	struct cgroup *c = AS(cgroup, cgroup);
	u64 level = c->level, slots = (u64)c + bpf_core_field_offset(struct cgroup, ancestors);

	HIDE(level);
	if (level == 0 || level > 64)
		return 0;
	return AS(cgroup, WORD(slots + 8 * (level - 1)))->kn->id;
}

static __always_inline void tell_cgroup(struct cgroup *cgroup, const char *path, bool alive)
{
	struct actor nobody = {};
	struct cgroup_event *e;
	struct scratch *s = begin(KIND_CGROUP, &nobody, bpf_ktime_get_boot_ns(), sizeof(*e));

	if (!s)
		return;
	e = (struct cgroup_event *)s->out;
	e->id = cgroup->kn->id;
	e->parent = parent_id(cgroup);
	e->level = cgroup->level;
	e->alive = alive;
	append_string(s, path);
	if (send(&urgent, s))
		count(COUNTER_URGENT_LOST);
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_cgroup_made, struct cgroup *cgroup, const char *path)
{
	struct container fresh = {}, *above;
	u64 id = cgroup->kn->id, up;

	if (cgroup->root->hierarchy_id != identity_hierarchy)
		return 0;
	up = container_at(cgroup);
	above = bpf_map_lookup_elem(&containers, &up);
	if (above && above->state == CONTAINER_YES)
		return 0; /* nested: its container's */
	if (bpf_map_update_elem(&containers, &id, &fresh, BPF_NOEXIST))
		count(COUNTER_NO_BUDGET);
	tell_cgroup(cgroup, path, true);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_cgroup_removed, struct cgroup *cgroup, const char *path)
{
	u64 id = cgroup->kn->id;

	if (cgroup->root->hierarchy_id == identity_hierarchy && bpf_map_lookup_elem(&containers, &id))
		tell_cgroup(cgroup, path, false);
	return 0;
}

/* task_newtask fires inside copy_process: io_uring's workers get a record too, and a child made with CLONE_INTO_CGROUP already
 * is in its cgroup. `current` is the creator, whatever CLONE_PARENT says. */
SEC("tp_btf/task_newtask")
int BPF_PROG(on_task_made, struct task_struct *task, u64 flags)
{
	struct task_struct *me = bpf_get_current_task_btf();
	struct proc *mine = current_proc(), *p;
	u64 container;

	if (mine) {
		p = bpf_task_storage_get(&procs, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!p) {
			count(COUNTER_NO_RECORD);
			return 0;
		}
		watch_credentials(mine, CHANGED_IN_PLACE);
		*p = *mine;
		p->tid = task->pid;
		if (!(flags & CLONE_THREAD))
			born(p, task, me);
		return 0;
	}
	if ((u64)task->cgroups == (u64)me->cgroups)
		return 0;
	container = container_of_task(task);
	if (container)
		enter(task, container, me);
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(on_moved, struct cgroup *to, const char *path, struct task_struct *task, bool group)
{
	struct left_event *e;
	struct scratch *s;
	struct proc *p;
	u64 container;

	if (to->root->hierarchy_id != identity_hierarchy)
		return 0;
	p = proc_of(task);
	container = container_at(to);
	if (!p) {
		if (container)
			enter(task, container, bpf_get_current_task_btf());
		return 0;
	}
	if (container == p->by.container)
		return 0;
	if (p->by.session == SESSION_RUNTIME) { /* the runtime moves its own process on its way in */
		if (container)
			p->by.container = container;
		return 0;
	}
	p->left = 1;
	s = begin(KIND_LEFT, &p->by, bpf_ktime_get_boot_ns(), sizeof(*e));
	if (!s)
		return 0;
	e = (struct left_event *)s->out;
	e->cgroup = to->kn->id;
	if (send(&urgent, s))
		count(COUNTER_URGENT_LOST);
	return 0;
}
