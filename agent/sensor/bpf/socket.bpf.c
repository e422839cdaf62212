/* Sockets that are made for something else than TCP, UDP and AF_UNIX: raw, packet, netlink, vsock, alg and whatever comes.
 *
 * Where they talk to is not seen for most of them; that they exist is. Of AF_INET the rarer protocols count too: no connect hook
 * is below them.
 */
#include "call.bpf.h"
#include "net.bpf.h"
#include "socket.bpf.h"

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_TYPE_MASK 15
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

/* First sight of a kind of socket, or one that waits for its answer. On the ring itself: cgroup hooks can be preempted. */
NOINLINE int novel_socket(struct flow_key *key, struct proc *p, u64 now)
{
	struct admission a = { .now = now };
	struct socket_event *e;
	u32 admitted;

	if (!key || !p || is_host(p->by.container))
		return 0;
	admitted = admit(key, p, &a);
	if (admitted == ADMITTED_OVER)
		count_over(&a);
	if (admitted != ADMITTED_SEND)
		return 0;
	e = bpf_ringbuf_reserve(&novelty, sizeof(*e), 0);
	if (e) {
		__builtin_memset(e, 0, sizeof(*e));
		e->event.time_ns = now;
		e->event.kind = KIND_SOCKET;
		fill_actor(&e->event.by, &p->by);
		__builtin_memcpy(&e->key, key, sizeof(*key));
		e->family = (key->what & 0xffff) >> 4;
		e->type = key->what & SOCK_TYPE_MASK;
		e->protocol = key->dev;
		bpf_ringbuf_submit(e, 0);
	}
	settle(&a, e ? 0 : -1);
	return 0;
}

static __always_inline void made(struct task_struct *task, u32 family, u32 type, u32 protocol)
{
	struct proc *p = proc_of_current(task);
	struct flow_key key = {};
	u64 now;

	if (!p)
		return;
	now = about_now();
	key.who = who_of_current(p, task, now);
	key.dev = protocol;
	key.what = WHAT(KIND_SOCKET, 0, family << 4 | (type & SOCK_TYPE_MASK));
	if (!known(&key, p, now))
		novel_socket(&key, p, bpf_ktime_get_boot_ns());
}

/* AF_INET and AF_INET6, below every call; not of sockets that the kernel makes for itself. */
SEC("cgroup/sock_create")
int on_socket_made(struct bpf_sock *sk)
{
	u32 type = sk->type, protocol = sk->protocol;

	if ((type == SOCK_STREAM && protocol == IPPROTO_TCP) || (type == SOCK_DGRAM && protocol == IPPROTO_UDP))
		return 1;
	made(bpf_get_current_task_btf(), sk->family, type, protocol);
	return 1;
}

static __always_inline int made_by_call(struct task_struct *task, u32 family, u32 type, u32 protocol, long ret)
{
	if (ret >= 0 && family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		made(task, family, type, protocol);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(both_socket, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = is_compat(task);

	return made_by_call(task, argument_of(regs, 0, compat), argument_of(regs, 1, compat),
			    argument_of(regs, 2, compat), result_of(ret, compat));
}
