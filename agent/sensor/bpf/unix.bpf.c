/* AF_UNIX: the container runtimes' sockets, and everybody else's. By the file of the peer's socket or its abstract name.
 *
 * After a connect the kernel knows the peer: its file is looked at as every file is, through no name that could be forged. A
 * failed connect and a datagram sent by name leave no trace of whom they meant: then it is the string that the program passed,
 * marked FILE_CLAIMED.
 */
#include "call.bpf.h"
#include "net.bpf.h"
#include "socket.bpf.h"

#define PATH_BYTES 108	  /* sockaddr_un.sun_path */
#define FAMILY_BYTES 2	  /* in front of it */
#define RESTARTED (-512)  /* and below: the call comes again (ERESTARTSYS) */
#define MESSAGES_MAX 1024 /* UIO_MAXIOV: sendmmsg takes no more */

struct peer {
	struct view v;
	u64 name_bytes;
	u32 by_name; /* which is in the scratch's text; no file */
	s32 result;
};

static __always_inline void fill_unix(struct unix_event *e, const struct flow_key *key, struct peer *peer)
{
	__builtin_memcpy(&e->key, key, sizeof(*key));
	fill_file(&e->file, &peer->v);
	e->result = peer->result;
}

struct name_scan {
	struct scratch *scratch;
	u64 container;
	u32 begin; /* of the name that we are in */
	u32 end;   /* of the text */
	u32 tripped;
	u32 pad;
};
static long scan_step(u32 i, struct name_scan *n)
{
	u32 begin = n->begin & (TEXT_MAX - 1);

	if (i < n->end && n->scratch->text[i & (TEXT_MAX - 1)] != '/')
		return 0;
	n->tripped = i > begin && name_tripped(n->container, fold_name(seed, (u64)&n->scratch->text[begin], i - begin));
	n->begin = i + 1;
	return n->tripped || i >= n->end;
}

/* A name that has no file is looked at by its parts. */
static __always_inline bool any_name_tripped(u64 container, u32 length)
{
	u32 zero = 0;
	struct name_scan n = { .scratch = bpf_map_lookup_elem(&scratches, &zero),
			       .container = container,
			       .end = length };

	if (n.scratch)
		bpf_loop(PATH_BYTES + 1, scan_step, &n, 0);
	return n.tripped;
}

/* First sight of a peer, or one that waits for its answer. */
GLOBAL int novel_peer(struct flow_key *key, struct peer *peer, struct proc *p)
{
	struct parent_look look = { .p = p };
	struct admission a = {};
	struct unix_event *e;
	struct scratch *s;
	u32 admitted;

	if (!key || !peer || !p)
		return 0;
	if (is_host(p->by.container)) {
		bpf_task_storage_delete(&procs, bpf_get_current_task_btf());
		return 0;
	}
	a.now = look.now = bpf_ktime_get_boot_ns();
	look.v = &peer->v;
	look.dev = peer->v.dev;
	look.class = WHAT(KIND_UNIX, peer->v.layer, 0);
	/* One that has an entry was counted there already. */
	look.wires_only = bpf_map_lookup_elem(&flows, key) != NULL;
	if (peer->by_name)
		look.tripwire = any_name_tripped(p->by.container, peer->name_bytes);
	else
		look_up_parents(&look);
	if (look.counted)
		return 0;
	a.urgent = look.tripwire && may_trip(p, a.now);
	admitted = admit(key, p, &a);
	if (admitted == ADMITTED_OVER && !a.urgent) {
		if (peer->by_name || !count_at_parent(&peer->v, p, look.class, a.now))
			count_over(&a);
		return 0;
	}
	s = begin(KIND_UNIX, &p->by, a.now, sizeof(*e));
	if (!s)
		return 0;
	e = (struct unix_event *)s->out;
	if (peer->by_name)
		append(s, s->text, peer->name_bytes);
	else
		append_path(s, &peer->v);
	fill_unix(e, key, peer);
	if (admitted == ADMITTED_COUNTED || send_admitted(&a, s))
		keep_tail(key, s, s->length);
	return 0;
}

static __always_inline u32 outcome_of(s32 result)
{
	return !result ? OUTCOME_NONE : result == ECONNREFUSED ? OUTCOME_REFUSED : OUTCOME_FAILED;
}

static __always_inline void reached(struct proc *p, struct peer *peer)
{
	u64 now = about_now();
	struct flow_key key = {};

	key.who = who_of(p, now);
	key.ino = peer->v.ino;
	key.names = peer->v.names;
	key.dev = peer->v.dev;
	key.real_dev = peer->v.real_dev;
	key.generation = peer->v.generation;
	key.what = WHAT(KIND_UNIX, peer->v.layer, outcome_of(peer->result) | peer->v.flags << 5);
	if (!known(&key, p, now))
		novel_peer(&key, peer, p);
}

/* The name is in the scratch's text: a path without NUL, or an abstract name (layer 0) without the leading one. */
static __always_inline void reached_name(struct proc *p, struct scratch *s, u64 length, u32 layer, struct peer *peer)
{
	peer->by_name = true;
	peer->name_bytes = length;
	peer->v.layer = layer;
	peer->v.names = fold_name(seed, (u64)s->text, length);
	reached(p, peer);
}

/* What `connect` left behind: the peer itself, held by our socket. */
static __always_inline void linked(struct proc *p, struct sock *sk, u32 flags)
{
	u64 peer = (u64)AS(unix_sock, sk)->peer, address, length;
	struct unix_sock *them = AS(unix_sock, peer);
	struct peer found = {};
	u64 dentry;
	struct scratch *s;
	u32 zero = 0;

	if (!peer)
		return; /* disconnected: connect with AF_UNSPEC */
	dentry = (u64)them->path.dentry;
	if (dentry) {
		view_seldom(&found.v, (u64)AS(dentry, dentry)->d_inode, dentry, p);
		found.v.flags |= flags;
		reached(p, &found);
		return;
	}
	address = (u64)them->addr;
	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!address || !s)
		return;
	length = (u32)AS(unix_address, address)->len - FAMILY_BYTES - 1;
	HIDE(length);
	if (length >= PATH_BYTES)
		return;
	address += bpf_core_field_offset(struct unix_address, name) + FAMILY_BYTES + 1;
	if (bpf_probe_read_kernel(s->text, length, (void *)address))
		return;
	found.v.flags = flags;
	reached_name(p, s, length, 0, &found);
}

/* What the program said. */
static __always_inline void claimed(struct proc *p, u64 address, u64 length, long ret, u32 flags)
{
	struct peer meant = { .v.flags = flags | FILE_CLAIMED, .result = ret < 0 ? -ret : 0 };
	u32 zero = 0, layer = LAYER_NEW_MOUNT; /* by name alone nobody can say where it is */
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
	u64 path = address + FAMILY_BYTES;
	s64 read;

	if (!s || length <= FAMILY_BYTES || length > FAMILY_BYTES + PATH_BYTES)
		return;
	length -= FAMILY_BYTES;
	HIDE(length);
	if (length > PATH_BYTES)
		return;
	read = bpf_probe_read_user_str(s->text, length + 1, (void *)path) - 1;
	if (!read) { /* abstract */
		layer = 0;
		length--;
		HIDE(length);
		if (length > PATH_BYTES)
			return;
		read = bpf_probe_read_user(s->text, length, (void *)(path + 1)) ? -1 : length;
	}
	if (read < 0)
		count(COUNTER_READ_FAILED);
	else
		reached_name(p, s, read, layer, &meant);
}

static __always_inline bool is_unix(struct sock *sk)
{
	return sk && sk->__sk_common.skc_family == AF_UNIX;
}

static __always_inline int connected(struct task_struct *task, u64 fd, u64 address, u64 length, long ret, u32 flags)
{
	struct proc *p;
	struct sock *sk;
	u64 file;

	if (ret <= RESTARTED)
		return 0;
	file = file_at(task, fd);
	sk = socket_of(file);
	if (!is_unix(sk))
		return 0;
	p = proc_of_current(task);
	if (!p)
		return 0;
	flags |= suspect(task, file);
	if (ret)
		claimed(p, address, (u32)length, ret, flags);
	else
		linked(p, sk, flags);
	return 0;
}

/* The socket's family before the program's memory: sendmsg is also how others write to TCP. */
static __always_inline bool sends_on_unix(struct task_struct *task, u64 fd)
{
	return is_unix(socket_of(file_at(task, fd)));
}

static __always_inline int sent_to(struct task_struct *task, u64 fd, u64 address, u64 length, long ret, u32 flags)
{
	struct proc *p;

	if (!address || ret <= RESTARTED || !sends_on_unix(task, fd))
		return 0;
	p = proc_of_current(task);
	if (p)
		claimed(p, address, (u32)length, ret, flags);
	return 0;
}

/* struct msghdr begins with the name and its length. */
struct message_head {
	u64 name;
	u32 length;
	u32 pad;
};
static __always_inline void read_head(struct message_head *head, u64 at, bool compat)
{
	struct {
		u32 name;
		u32 length;
	} narrow = {};
	long error;

	if (compat) {
		error = bpf_probe_read_user(&narrow, sizeof(narrow), (void *)at);
		head->name = narrow.name;
		head->length = narrow.length;
	} else {
		error = bpf_probe_read_user(head, sizeof(*head), (void *)at);
	}
	if (error) {
		head->name = 0;
		count(COUNTER_READ_FAILED);
	}
}

struct message_walk {
	struct proc *p;
	u64 at;
	u32 stride;
	u32 count;
	u32 flags;
	s32 ret; /* of the call, where it is one message */
};
static long message_step(u32 i, struct message_walk *w)
{
	struct message_head head = {};

	if (i >= w->count)
		return 1;
	read_head(&head, w->at, w->flags & FILE_COMPAT);
	w->at += w->stride;
	if (head.name)
		claimed(w->p, head.name, head.length, w->ret, w->flags);
	return 0;
}

/* `count` messages went out, or the first one failed. */
static __always_inline int sent_messages(struct task_struct *task, u64 fd, u64 at, u32 sent, s64 ret, u32 stride,
					 u32 flags)
{
	struct message_walk w = { .at = at, .stride = stride, .flags = flags };

	if (ret <= RESTARTED || !sends_on_unix(task, fd))
		return 0;
	w.p = proc_of_current(task);
	if (!w.p)
		return 0;
	w.count = sent;
	w.ret = ret < 0 ? ret : 0;
	bpf_loop(sent < MESSAGES_MAX ? sent : MESSAGES_MAX, message_step, &w, 0);
	return 0;
}

/* Bytes of struct mmsghdr. */
#define STRIDE 64
#define COMPAT_STRIDE 32

SEC("?tp_btf/sys_exit")
int BPF_PROG(both_connect, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = is_compat(task);

	return connected(task, argument_of(regs, 0, compat), argument_of(regs, 1, compat), argument_of(regs, 2, compat),
			 result_of(ret, compat), compat ? FILE_COMPAT : 0);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(both_sendto, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = is_compat(task);

	return sent_to(task, argument_of(regs, 0, compat), argument_of(regs, 4, compat), argument_of(regs, 5, compat),
		       result_of(ret, compat), compat ? FILE_COMPAT : 0);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(both_sendmsg, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = is_compat(task);

	return sent_messages(task, argument_of(regs, 0, compat), argument_of(regs, 1, compat), 1,
			     result_of(ret, compat), 0, compat ? FILE_COMPAT : 0);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(both_sendmmsg, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = is_compat(task);
	s64 sent = result_of(ret, compat);

	return sent_messages(task, argument_of(regs, 0, compat), argument_of(regs, 1, compat), sent < 0 ? 1 : sent,
			     sent, compat ? COMPAT_STRIDE : STRIDE, compat ? FILE_COMPAT : 0);
}
