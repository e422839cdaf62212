/* What a process is: a record in task storage, made when a task enters a container, copied at every clone, gone with the task.
 *
 * Having a record is what it means to be in a container: it is found at every hook by one look-up, and no record = the host's =
 * return. Once inside, always inside: leaving the cgroup or a namespace does not remove it.
 */
#ifndef VEDETTE_TASK_BPF_H
#define VEDETTE_TASK_BPF_H

#include "core_fixes.bpf.h"

/* What a task may do: the objective credentials, which no override for the length of a call touches. */
struct credentials {
	u64 permitted;
	u64 user_namespace; /* its address: one that is in use is not handed out again */
	u32 user_level;	    /* 0: the host's */
	u32 uid;
	u32 euid;
	u32 suid;
};

struct proc {
	struct actor by;
	u64 who;   /* 0: not made yet, or no room */
	u64 actor; /* pid and start as a flow notes its last actor, made once: dividing takes longer than counting */
	u64 cred;  /* the credentials that `who` was made from */
	u64 last_superblock; /* last look-up in the mount table */
	u64 exe_ino;
	u32 exe_dev;
	u32 generation; /* of the policies, in `who` */
	u32 forgotten;	/* whos_forgotten when `who` was made */
	u32 pad2;
	u32 last_kind;
	u32 left; /* moved out of the container's cgroup */
	u32 tid;  /* of the task that the record was made for */
	u32 pad;
	struct credentials rights; /* as last seen */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct proc);
} procs SEC(".maps");

/* key: who. Written at the first sight, read and removed by Python. Full or over the container's budget: such a process's
 * events are counted in its budgets' `over`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct who);
} whos SEC(".maps");

/* key: mount namespace id; value: container. Filled at the handover: finds who entered by nsenter without the cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, u64);
} mount_namespaces SEC(".maps");

static __always_inline struct cgroup *identity_cgroup(struct task_struct *task)
{
	struct css_set *set = AS(css_set, task->cgroups);
	u64 slot;

	if (identity_subsystem < 0)
		return set->dfl_cgrp;
	slot = (u64)set + bpf_core_field_offset(struct css_set, subsys) + 8 * (identity_subsystem & 15);
	return AS(cgroup_subsys_state, WORD(slot))->cgroup;
}

struct ancestor_walk {
	u64 slots; /* cgroup.ancestors */
	u64 undecided;
	u64 found;
	u32 level;
	u32 pad;
};
static long ancestor_step(u32 i, struct ancestor_walk *w)
{
	u64 id;
	struct container *c;

	if (i + 1 > w->level)
		return 1;
	id = AS(cgroup, WORD(w->slots + 8 * (i + 1)))->kn->id;
	c = bpf_map_lookup_elem(&containers, &id);
	if (!c || c->state == CONTAINER_HOST)
		return 0;
	if (c->state == CONTAINER_YES) {
		w->found = id;
		return 1;
	}
	w->undecided = id;
	return 0;
}

/* The container of a cgroup: the outermost ancestor that is one, so that nested cgroups belong to their container; else the
 * innermost new cgroup that Python has not yet answered for (fail closed); else 0, the host. */
NOINLINE u64 container_at(struct cgroup *cgroup)
{
	struct cgroup *c = AS(cgroup, cgroup);
	struct ancestor_walk w = { .slots = (u64)c + bpf_core_field_offset(struct cgroup, ancestors),
				   .level = c->level };

	bpf_loop(24, ancestor_step, &w, 0);
	return w.found ? w.found : w.undecided;
}

static __always_inline u64 container_of_task(struct task_struct *task)
{
	return container_at(identity_cgroup(task));
}

/* Python decided that this cgroup is the host's: what we took for a container is none. */
static __always_inline bool is_host(u64 container)
{
	struct container *c = bpf_map_lookup_elem(&containers, &container);

	return c && c->state == CONTAINER_HOST;
}

static __always_inline void read_credentials(struct proc *p, struct task_struct *task)
{
	const struct cred *c = task->real_cred;

	p->cred = (u64)c;
	p->by.euid = p->rights.euid = c->euid.val;
	p->rights.uid = c->uid.val;
	p->rights.suid = c->suid.val;
	p->rights.permitted = c->cap_permitted.val;
	p->rights.user_namespace = (u64)c->user_ns;
	p->rights.user_level = c->user_ns->level;
}

static __always_inline void note_process(struct proc *p, u32 pid, u64 started_ns)
{
	p->by.pid = pid;
	p->by.started_ns = started_ns;
	p->actor = (u64)pid << 32 | (u32)(started_ns / 1000);
}

/* A process of its own, made by `by`. */
static __always_inline void born(struct proc *p, struct task_struct *task, struct task_struct *by)
{
	note_process(p, task->tgid, task->start_boottime);
	p->by.creator_pid = by->tgid;
	p->by.creator_started_ns = by->group_leader->start_boottime;
}

/* A task comes in from outside: the runtime's first process, `runc exec`, nsenter. */
static __always_inline struct proc *enter(struct task_struct *task, u64 container, struct task_struct *by)
{
	struct proc *p = bpf_task_storage_get(&procs, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!p) {
		count(COUNTER_NO_RECORD);
		return NULL;
	}
	born(p, task, by);
	read_credentials(p, task);
	p->tid = task->pid;
	p->by.tty = task->signal->tty != NULL;
	p->by.container = container;
	p->by.session = SESSION_RUNTIME;
	p->who = 0;
	return p;
}

static __always_inline struct proc *proc_of(struct task_struct *task)
{
	return bpf_task_storage_get(&procs, task, NULL, 0);
}

/* The current task's record. A process that was moved into a cgroup while it had several threads got a record for its leader
 * only: the others find it here. */
static __always_inline struct proc *proc_of_current(struct task_struct *task)
{
	struct proc *p = proc_of(task);

	if (p || task->pid == task->tgid)
		return p;
	return proc_of(task->group_leader);
}

static __always_inline struct proc *current_proc(void)
{
	return proc_of_current(bpf_get_current_task_btf());
}

static __always_inline u64 exe_hash(u32 dev, u64 ino, u32 generation, u64 ctime)
{
	return mix(mix(mix(mix(seed, dev), ino), generation), ctime);
}

#endif
