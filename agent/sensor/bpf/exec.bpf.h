/* What a process is by its program: shared by execs and by the stock-taking of what ran before the agent. */
#ifndef VEDETTE_EXEC_BPF_H
#define VEDETTE_EXEC_BPF_H

#include "file.bpf.h"
#include "mounts.bpf.h"

/* From the container's own mounts: the runtime's memfd or /proc/self/exe isn't. */
static __always_inline bool is_own_program(struct task_struct *task, struct file *file)
{
	struct mnt_namespace *ns = task->nsproxy->mnt_ns;
	u64 mount = (u64)file->f_path.mnt;

	return mount_namespace_id(ns) != host_mount_namespace && OUTER(mount, mnt, mount)->mnt_ns == ns;
}

static __always_inline void note_program(struct proc *p, struct task_struct *task, struct view *v)
{
	note_process(p, task->tgid, task->group_leader->start_boottime);
	p->exe_ino = v->ino;
	p->exe_dev = v->real_dev;
	p->by.exe = exe_hash(v->real_dev, v->ino, v->generation, change_time(v));
	p->last_superblock = 0;
}

/* From here on forks have this process as their ancestor. */
static __always_inline void note_ancestor(struct proc *p)
{
	p->by.ancestor_pid = p->by.pid;
	p->by.ancestor_started_ns = p->by.started_ns;
}

static __always_inline void fill_credentials(struct exec_event *e, struct task_struct *task)
{
	const struct cred *c = task->cred;

	e->capabilities = c->cap_effective.val;
	e->permitted = c->cap_permitted.val;
	e->uid = c->uid.val;
	e->gid = c->gid.val;
	e->login_uid = bpf_core_field_exists(task->loginuid) ? task->loginuid.val : ~0u;
	e->seccomp = bpf_core_field_exists(task->seccomp) ? task->seccomp.mode : 0;
	e->no_new_privs = task->atomic_flags & 1;
}

static __always_inline void append_cwd(struct scratch *s, struct task_struct *task, u64 container)
{
	struct dentry *d = task->fs->pwd.dentry;
	struct view v = {};

	view_dentry(&v, (u64)d->d_inode, (u64)d, container);
	append_path_end(s, &v, TEXT_MAX / 2);
}

#endif
