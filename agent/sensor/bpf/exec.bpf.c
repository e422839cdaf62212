/* Programs started: every way to exec ends in sched_process_exec, with the file that the kernel really loaded. */
#include "exec.bpf.h"

#define FMODE_EXEC_FLAG 0x20 /* __FMODE_EXEC in f_flags: only the kernel's own exec opens have it */
#define S_ISUID 04000
#define CODE_VARIABLES_MAX 8192 /* more than the kernel takes of empty ones is no use to hide behind */
#define WORKS_MAX 256

/* Names of environment variables that load code, padded with NUL; value: bit in exec_event.code_environment. Written by Python. */
struct variable {
	char name[24];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct variable);
	__type(value, u32);
} code_variables SEC(".maps");

/* Room for one read of the environment. Each run uses its CPU's own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, char[TEXT_MAX]);
} variable_texts SEC(".maps");

struct environment_walk {
	u64 at;
	u64 end;
	u64 found;
	char *text;
	u32 inside; /* the last read ended in the middle of a variable */
	u32 pad;
};
static long variable_step(u32 i, struct environment_walk *w)
{
	struct variable name = {};
	u32 *bit, inside = w->inside;
	s64 n;

	if (w->at >= w->end)
		return 1;
	n = bpf_probe_read_user_str(w->text, TEXT_MAX, (void *)w->at);
	if (n <= 0) {
		count(COUNTER_READ_FAILED);
		return 1;
	}
	w->at += n == TEXT_MAX ? n - 1 : n;
	w->inside = n == TEXT_MAX;
	if (inside)
		return 0;
	for (int k = 0; k < 23; k++) {
		if (w->text[k] == '=' || !w->text[k])
			break;
		name.name[k] = w->text[k];
	}
	bit = bpf_map_lookup_elem(&code_variables, &name);
	if (bit)
		w->found |= 1ull << (*bit & 63);
	return 0;
}

/* Values may be secrets: only the fact that a known name is set leaves the kernel. */
static __always_inline u64 code_environment(struct mm_struct *mm)
{
	struct environment_walk w = { .at = mm->env_start, .end = mm->env_end };
	u32 zero = 0;

	w.text = bpf_map_lookup_elem(&variable_texts, &zero);
	if (w.text)
		bpf_loop(CODE_VARIABLES_MAX, variable_step, &w, 0);
	return w.found;
}

struct work_walk {
	u64 work;
	u64 script;
};
static long work_step(u32 i, struct work_walk *w)
{
	struct callback_head *c = AS(callback_head, w->work);
	u64 file;

	if (!w->work)
		return 1;
	if ((u64)c->func == task_work_fput) {
		file = w->work - bpf_core_field_offset(struct file, f_task_work);
		if (AS(file, file)->f_flags & FMODE_EXEC_FLAG)
			w->script = file;
	}
	w->work = (u64)c->next;
	return 0;
}

/* exec lets go of a script's file before it loads the interpreter, but the file stays on the task's list of delayed work until
 * the return to user space: the oldest entry that was opened for exec is the script itself (later ones: interpreters of
 * interpreters, the dynamic loader). */
static __always_inline u64 script_file(struct task_struct *task, u64 loaded)
{
	struct work_walk w = { .work = (u64)task->task_works };

	if (!task_work_fput)
		return 0;
	bpf_loop(WORKS_MAX, work_step, &w, 0);
	return w.script == loaded ? 0 : w.script;
}

/* The first program from the container's own mounts ends the runtime's part. */
static __always_inline void hand_over(struct proc *p, struct task_struct *task, u64 now)
{
	u64 id = p->by.container, ns = mount_namespace_id(task->nsproxy->mnt_ns);
	struct container *c = bpf_map_lookup_elem(&containers, &id);
	struct handover_event *e;
	struct scratch *s;
	u32 zero = 0;

	if (!c || c->main_pid) {
		p->by.session = SESSION_EXEC;
		return;
	}
	p->by.session = SESSION_MAIN;
	c->main_pid = task->tgid;
	c->main_started_ns = task->start_boottime;
	c->mount_namespace = ns;
	c->root = (u64)task->fs->root.mnt->mnt_sb;
	s = bpf_map_lookup_elem(&scratches, &zero);
	c->mounts = note_mounts(s, id, (u64)task->nsproxy->mnt_ns, c->root, now);
	bpf_map_update_elem(&mount_namespaces, &ns, &id, 0);
	s = begin(KIND_HANDOVER, &p->by, now, sizeof(*e));
	if (!s)
		return;
	e = (struct handover_event *)s->out;
	e->mount_namespace = ns;
	e->mounts = c->mounts;
	if (send(&urgent, s))
		count(COUNTER_URGENT_LOST);
}

/* Once a container runs, what is executed in its own mount namespace is its own, wherever it lies: a link in place of a probe's
 * program may lead to a memfd, or through another process's root into a namespace of that process. */
static __always_inline bool is_chosen_inside(struct proc *p, struct task_struct *task)
{
	u64 id = p->by.container, ns = mount_namespace_id(task->nsproxy->mnt_ns);
	struct container *c = bpf_map_lookup_elem(&containers, &id);

	return c && c->main_pid && ns == c->mount_namespace && ns != host_mount_namespace;
}

/* A task without a record: its cgroup tells, or the mount namespace that it entered (nsenter without the cgroup). */
static __always_inline struct proc *find_or_enter(struct task_struct *task)
{
	struct proc *p = proc_of(task);
	u64 container, ns, *joined;

	if (p)
		return p;
	container = container_of_task(task);
	if (container)
		return enter(task, container, task->real_parent);
	ns = mount_namespace_id(task->nsproxy->mnt_ns);
	joined = bpf_map_lookup_elem(&mount_namespaces, &ns);
	if (!joined || ns == host_mount_namespace)
		return NULL;
	p = enter(task, *joined, task->real_parent);
	if (p)
		p->by.session = SESSION_EXEC;
	return p;
}

struct hash_walk {
	u64 at;
	u64 hash;
};
static long hash_step(u32 i, struct hash_walk *w)
{
	w->hash = mix(w->hash, WORD(w->at + 8 * i));
	return 0;
}

/* Beyond the budget, or without room on the ring: counted exactly by program, arguments and session. */
static __always_inline void count_exec(struct proc *p, struct exec_event *e, struct scratch *s, u64 now)
{
	u64 words = ((u64)e->event.texts[3] + 7) / 8;
	struct hash_walk w = {
		.at = (u64)&s->out[(sizeof(*e) + e->event.texts[0] + e->event.texts[1] + e->event.texts[2]) & OUT_MASK],
		.hash = e->file.names
	};
	struct flow_key key = {};
	struct admission a = { .now = now };

	bpf_loop(words < 512 ? words : 512, hash_step, &w, 0);
	key.who = who_of(p, now);
	key.ino = e->file.ino;
	key.names = w.hash;
	key.dev = e->file.dev;
	key.real_dev = e->file.real_dev;
	key.generation = e->file.generation;
	key.what = WHAT(KIND_EXEC, e->file.layer, 0);
	if (known(&key, p, now))
		return;
	if (admit(&key, p, &a) == ADMITTED_OVER)
		count_over(&a);
	else
		keep_tail(&key, s, sizeof(*e) + e->event.texts[0]);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct file *file = bprm->file;
	u64 now = bpf_ktime_get_boot_ns(), script, arg_start, args;
	struct proc *p = find_or_enter(task);
	struct mm_struct *mm = task->mm;
	struct view v = {}, sv = {};
	struct exec_event *e;
	struct scratch *s;
	struct budget *b;
	bool scripted;

	if (!p || !mm)
		return 0;
	if (is_host(p->by.container)) {
		bpf_task_storage_delete(&procs, task);
		return 0;
	}
	if (p->by.session == SESSION_RUNTIME) {
		u64 container = container_of_task(task);

		if (container)
			p->by.container = container;
		if (is_own_program(task, file) || is_chosen_inside(p, task))
			hand_over(p, task, now);
	}
	view_dentry(&v, (u64)file->f_inode, (u64)file->f_path.dentry, p->by.container);
	if (v.layer == LAYER_NEW_MOUNT && p->by.session == SESSION_RUNTIME)
		v.layer = LAYER_HOST;
	note_program(p, task, &v);
	watch_credentials(p, file->f_inode->i_mode & S_ISUID ? CHANGED_BY_SET_USER_ID : CHANGED_BY_EXEC);
	renew_who(p, now);
	s = begin(KIND_EXEC, &p->by, now, sizeof(*e));
	if (!s)
		return 0;
	e = (struct exec_event *)s->out;
	append_path(s, &v);
	fill_file(&e->file, &v);
	e->file.ctime_ns = change_time(&v);
	fill_credentials(e, task);
	e->setuid = BPF_CORE_READ_BITFIELD(bprm, secureexec);
	scripted = (u64)bprm->filename != (u64)bprm->interp;
	script = scripted ? script_file(task, (u64)file) : 0;
	if (script) {
		struct file *sf = AS(file, script);

		view_dentry(&sv, (u64)sf->f_inode, (u64)sf->f_path.dentry, p->by.container);
		append_path(s, &sv);
		fill_file(&e->script, &sv);
		e->script.ctime_ns = change_time(&sv);
	} else if (scripted) {
		append_string(s, bprm->filename); /* its file can't be shown: the program's own words */
		e->script.layer = LAYER_NEW_MOUNT;
		e->script.flags = FILE_CLAIMED;
	} else {
		end_text(s, 0);
	}
	append_cwd(s, task, p->by.container);
	arg_start = mm->arg_start;
	args = mm->arg_end - arg_start;
	e->argv_bytes = args;
	append_user(s, arg_start, args < TEXT_MAX ? args : TEXT_MAX);
	e->code_environment = code_environment(mm);
	if (p->by.tty)
		append_string(s, AS(tty_struct, task->signal->tty)->name);
	note_ancestor(p);
	b = budget_of(p->by.container, KIND_EXEC, now);
	if (b && !take_token(b, now)) {
		add(&b->unsent, 1);
		count_exec(p, e, s, now);
	} else if (send(&urgent, s)) {
		count(COUNTER_URGENT_LOST);
		count_exec(p, e, s, now);
	} else if (b) {
		add(&b->sent, 1);
	}
	return 0;
}

/* Only processes that replaced their program have an exit record: a fork without exec is its creator's own doing. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct proc *p;
	struct exit_event *e;
	struct scratch *s;
	struct budget *b;
	u64 now;

	if (task->signal->live.counter)
		return 0; /* other threads live on */
	p = proc_of(task);
	if (!p || p->by.ancestor_pid != p->by.pid || p->by.ancestor_started_ns != p->by.started_ns)
		return 0;
	now = bpf_ktime_get_boot_ns();
	b = budget_of(p->by.container, KIND_EXIT, now);
	if (b && !take_token(b, now)) {
		add(&b->over, 1);
		return 0;
	}
	s = begin(KIND_EXIT, &p->by, now, sizeof(*e));
	if (!s)
		return 0;
	e = (struct exit_event *)s->out;
	e->code = task->exit_code;
	if (send(&urgent, s)) {
		count(COUNTER_URGENT_LOST);
		if (b)
			add(&b->lost, 1);
	} else if (b) {
		add(&b->sent, 1);
	}
	return 0;
}
