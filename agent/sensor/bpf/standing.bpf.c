/* What ran before us, once at the start, after all hooks are in place (what starts meanwhile, they see). In this order:
 *
 *   standing_host       the host's mount namespace; which process of a container is its main one
 *   standing_mounts     their mount tables, as the handover notes them, on the ring
 *   standing_tasks      a record for every task, and each process as an exec
 *   standing_code       mapped code that is not from the image, as loads
 *   standing_listeners  listening sockets
 *   standing_sockets    connections and datagram sockets
 *
 * Execs and loads go out through the iterator itself, as u32 length and record: it waits for its reader and loses nothing.
 * Mounts and sockets go onto the rings: the rest of a flow that has no room there, the sweep tells.
 *
 * Iterators can be preempted, and other programs then use the CPU's scratch: they have one of their own. One runs at a time.
 */
#include "exec.bpf.h"
#include "load.bpf.h"
#include "tcp.bpf.h"

#define RECORD_MAX 12288 /* an exec: two paths */
#define VM_EXEC 4
#define BOUND 8 /* SOCK_BINDPORT_LOCK in sk_userlocks: bound to a port by the program, not by the kernel */
#ifndef IPPROTO_UDP
#define IPPROTO_UDP 17
#endif

/* The iterators' own: they can be preempted by the programs that use the CPU's. One runs at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} standing_scratch SEC(".maps");

/* key: container. Its oldest process that is the first of a pid namespace, else its oldest. Full: its mounts stay unknown, so
 * that no path rule allows its files. */
struct main_candidate {
	u64 rank;
	u64 pid;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct main_candidate);
} main_candidates SEC(".maps");

static __always_inline struct scratch *own_scratch(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&standing_scratch, &zero);
}

/* Is there room for a record? If not, ask for more than there is: then the kernel lets the reader read, and calls us again. */
static __always_inline bool has_room(struct seq_file *seq, struct scratch *s)
{
	if (seq->size - seq->count >= RECORD_MAX)
		return true;
	bpf_seq_write(seq, s->out, RECORD_MAX);
	return false;
}

static __always_inline void write_record(struct seq_file *seq, struct scratch *s)
{
	u64 length = s->length;
	u32 head = length;

	HIDE(length);
	if (length < sizeof(struct event) || length > OUT_MASK)
		return;
	if (bpf_seq_write(seq, &head, sizeof(head)) || bpf_seq_write(seq, s->out, length))
		count(COUNTER_URGENT_LOST);
}

/* Whose task it is: by its cgroup, or by the mount namespace that it entered. */
static __always_inline u64 standing_container(struct task_struct *task)
{
	u64 container = container_of_task(task), ns, *joined;

	if (container)
		return container;
	ns = mount_namespace_id(task->nsproxy->mnt_ns);
	joined = ns == host_mount_namespace ? NULL : bpf_map_lookup_elem(&mount_namespaces, &ns);
	return joined ? *joined : 0;
}

/* The runtime has handed it over: it runs a program of the container's own. */
static __always_inline bool is_handed_over(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	struct file *file = mm ? mm->exe_file : NULL;

	return file && is_own_program(task, file);
}

static __always_inline bool is_first_of_namespace(struct task_struct *task)
{
	struct pid *pid = task->thread_pid;
	u64 level = pid->level, at = (u64)pid + bpf_core_field_offset(struct pid, numbers);

	return level && AS(upid, at + level * bpf_core_type_size(struct upid))->nr == 1;
}

SEC("iter/task")
int standing_host(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct main_candidate mine = {}, *known;
	u64 container;

	if (!task || task->pid != task->tgid)
		return 0;
	if (!host_mount_namespace &&
	    task->pid <= 2) /* init, or where it is hidden from us, the kernel's first thread */
		host_mount_namespace = mount_namespace_id(task->nsproxy->mnt_ns);
	container = container_of_task(task);
	if (!container || !is_handed_over(task))
		return 0;
	mine.pid = task->pid;
	mine.rank = task->start_boottime | (is_first_of_namespace(task) ? 0 : 1ull << 63);
	known = bpf_map_lookup_elem(&main_candidates, &container);
	if ((!known || mine.rank < known->rank) && bpf_map_update_elem(&main_candidates, &container, &mine, BPF_ANY))
		count(COUNTER_MAP_FULL);
	return 0;
}

static __always_inline bool is_main(struct task_struct *task, struct container *c, u64 id)
{
	struct main_candidate *candidate = bpf_map_lookup_elem(&main_candidates, &id);

	if (!c->main_pid) /* else Python said which: not every main process is the first of a pid namespace */
		return candidate && candidate->pid == task->pid;
	return c->main_pid == task->pid && (!c->main_started_ns || c->main_started_ns == task->start_boottime);
}

SEC("iter/task")
int standing_mounts(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct container *c;
	struct scratch *s;
	u64 id, ns;

	if (!task || task->pid != task->tgid)
		return 0;
	id = container_of_task(task);
	c = id ? bpf_map_lookup_elem(&containers, &id) : NULL;
	s = own_scratch();
	if (!c || !s || c->mounts || !is_main(task, c, id))
		return 0;
	ns = mount_namespace_id(task->nsproxy->mnt_ns);
	c->main_started_ns = task->start_boottime;
	c->main_pid = task->pid;
	c->mount_namespace = ns;
	c->root = (u64)task->fs->root.mnt->mnt_sb;
	c->mounts = note_mounts(s, id, (u64)task->nsproxy->mnt_ns, c->root, bpf_ktime_get_boot_ns());
	bpf_map_update_elem(&mount_namespaces, &ns, &id, BPF_ANY);
	bpf_map_delete_elem(&main_candidates, &id);
	return 0;
}

static __always_inline void fill_standing(struct exec_event *e, struct proc *p, struct task_struct *task,
					  struct view *v)
{
	struct mm_struct *mm = task->mm;

	fill_file(&e->file, v);
	e->file.ctime_ns = change_time(v);
	fill_credentials(e, task);
	e->argv_bytes = mm->arg_end - mm->arg_start;
	e->standing = 1;
	__builtin_memcpy(e->event.by.comm, p->by.comm, sizeof(p->by.comm));
}

/* Its arguments are in its memory, which only its own programs may read: Python's worker does. Of who made it only the parent is
 * left. */
static __always_inline void tell_standing(struct seq_file *seq, struct scratch *s, struct proc *p,
					  struct task_struct *task, struct view *v)
{
	struct exec_event *e = (struct exec_event *)s->out;

	if (container_of_task(task->real_parent) == p->by.container) {
		p->by.ancestor_pid = p->by.creator_pid;
		p->by.ancestor_started_ns = p->by.creator_started_ns;
	}
	begin_in(s, KIND_EXEC, &p->by, bpf_ktime_get_boot_ns(), sizeof(*e));
	append_path(s, v);
	fill_standing(e, p, task, v);
	end_text(s, 0); /* script */
	append_cwd(s, task, p->by.container);
	end_text(s, 0); /* arguments */
	if (p->by.tty)
		append_string(s, AS(tty_struct, task->signal->tty)->name);
	write_record(seq, s);
}

SEC("iter/task")
int standing_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct scratch *s = own_scratch();
	struct mm_struct *mm;
	struct container *c;
	struct view v = {};
	struct file *file;
	struct proc *p;
	u64 id;

	if (!task || !s || proc_of(task))
		return 0;
	id = standing_container(task);
	mm = task->mm;
	if (!id || !mm || !has_room(ctx->meta->seq, s))
		return 0;
	p = enter(task, id, task->real_parent);
	if (!p)
		return 0;
	bpf_probe_read_kernel_str(p->by.comm, sizeof(p->by.comm), task->comm);
	file = mm->exe_file;
	if (!file)
		return 0;
	view_dentry(&v, (u64)file->f_inode, (u64)file->f_path.dentry, id);
	note_program(p, task, &v);
	c = bpf_map_lookup_elem(&containers, &id);
	if ((!c || !c->main_pid) && !is_handed_over(task))
		return 0; /* the runtime, on its way in: its next exec tells */
	p->by.session = SESSION_STANDING;
	name_who(p, bpf_ktime_get_boot_ns());
	if (task->pid == task->tgid)
		tell_standing(ctx->meta->seq, s, p, task, &v);
	note_ancestor(p);
	return 0;
}

/* The program itself is in its exec. */
static __always_inline bool is_itself(struct proc *p, struct view *v)
{
	return v->ino == p->exe_ino && v->real_dev == p->exe_dev;
}

static __always_inline void tell_code(struct seq_file *seq, struct scratch *s, struct proc *p, struct view *v)
{
	struct admission a = { .now = bpf_ktime_get_boot_ns(), .urgent = 1 }; /* once, and bounded by its quota */
	struct file_event *e = (struct file_event *)s->out;
	struct flow_key key = {};
	u32 admitted;

	load_key(&key, p->who, v);
	if (known(&key, p, a.now))
		return;
	admitted = admit(&key, p, &a);
	if (admitted == ADMITTED_OVER)
		count_over(&a);
	if (admitted != ADMITTED_SEND)
		return;
	begin_in(s, KIND_LOAD, &p->by, a.now, sizeof(*e));
	append_path(s, v);
	e->key = key;
	fill_file(&e->file, v);
	e->file.ctime_ns = change_time(v);
	e->standing = 1;
	__builtin_memcpy(e->event.by.comm, p->by.comm, sizeof(p->by.comm));
	write_record(seq, s);
	settle(&a, 0);
}

/* The record of a task that ran before us; NULL: none, or it is the runtime's, or the hooks saw it first. */
static __always_inline struct proc *standing_proc(struct task_struct *task)
{
	struct proc *p = task ? proc_of(task) : NULL;

	return p && p->by.session == SESSION_STANDING ? p : NULL;
}

SEC("iter/task_vma")
int standing_code(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct scratch *s = own_scratch();
	struct view v = {};
	struct proc *p;

	if (!vma || !s || !(vma->vm_flags & VM_EXEC) || !vma->vm_file)
		return 0;
	p = standing_proc(ctx->task);
	if (!p || !has_room(ctx->meta->seq, s))
		return 0;
	view_mapped_file(&v, (u64)vma->vm_file, p->by.container);
	if (!is_itself(p, &v) && !is_of_image(&v))
		tell_code(ctx->meta->seq, s, p, &v);
	return 0;
}

static __always_inline struct sock *standing_socket(struct file *file)
{
	struct socket *socket = file ? bpf_sock_from_file(file) : NULL;
	struct sock *sk = socket ? socket->sk : NULL;
	u32 family = sk ? sk->__sk_common.skc_family : 0;

	return family == AF_INET || family == AF_INET6 ? sk : NULL;
}

SEC("iter/task_file")
int standing_listeners(struct bpf_iter__task_file *ctx)
{
	struct contact c = { .direction = DIRECTION_LISTEN, .protocol = IPPROTO_TCP, .aside = 1, .standing = 1 };
	struct proc *p = standing_proc(ctx->task);
	struct party_key key;
	struct sock *sk;
	u64 now;

	sk = p ? standing_socket(ctx->file) : NULL;
	if (!sk || sk->sk_protocol != IPPROTO_TCP || sk->__sk_common.skc_state != LISTENING)
		return 0;
	now = bpf_ktime_get_boot_ns();
	own_address(&c, sk);
	c.port = c.local_port = sk->__sk_common.skc_num;
	contacted(&c, p, party_who(p, now));
	listener_key(&key, sk);
	note_listener(p, &key, socket_cgroup(sk), false);
	return 0;
}

static __always_inline u32 tcp_direction(struct sock *sk)
{
	struct party_key key;

	listener_key(&key, sk);
	return bpf_map_lookup_elem(&parties, &key) ? DIRECTION_INGRESS : DIRECTION_EGRESS;
}

/* False: neither connected nor bound by the program. */
static __always_inline bool read_contact(struct contact *c, struct sock *sk)
{
	u32 port = sk->__sk_common.skc_num, protocol = sk->sk_protocol;

	if (sk->__sk_common.skc_state == ESTABLISHED) {
		peer_address(c, sk);
		c->direction = protocol == IPPROTO_TCP ? tcp_direction(sk) : DIRECTION_EGRESS;
		c->local_port = c->direction == DIRECTION_INGRESS ? port : 0;
	} else if (protocol == IPPROTO_UDP && port && BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & BOUND) {
		own_address(c, sk);
		c->direction = DIRECTION_BIND;
		c->port = port;
	} else {
		return false;
	}
	c->protocol = protocol;
	return true;
}

SEC("iter/task_file")
int standing_sockets(struct bpf_iter__task_file *ctx)
{
	struct contact c = { .aside = 1, .standing = 1 };
	struct proc *p = standing_proc(ctx->task);
	struct sock *sk;
	u64 now;

	sk = p ? standing_socket(ctx->file) : NULL;
	if (!sk || (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_UDP) || !read_contact(&c, sk))
		return 0;
	now = bpf_ktime_get_boot_ns();
	contacted(&c, p, party_who(p, now));
	return 0;
}
