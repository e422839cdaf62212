/* What becomes of TCP connections: listening, accepted, refused, timed out. From the socket's changes of state.
 *
 * A change can come in a softirq, where the current task is anybody: then the container is the socket's own cgroup (which an
 * accepted socket has from its listener), and the process is the one that was noted when it called connect or listen.
 */
#include "tcp.bpf.h"

#define CHANGE(from, to) ((from) << 4 | (to))

#define IPPROTO_TCP 6
#define ECANCELED 125

/* key: socket (its address), from connect until it is answered. An answer in a softirq while this CPU is in one of these programs is
 * not seen (a program never interrupts itself), and its entry stays until it is the one used longest ago, or until its address is
 * used again. Full: the failure of the oldest is told without a process. A socket's own storage would go with it, but costs 2 µs. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct party);
} connecting SEC(".maps");

/* Who a socket's events are ascribed to where no process is known: its container. */
static __always_inline struct proc *container_party(u64 container)
{
	struct party_key key = { .cgroup = container };
	struct party fresh = {};
	struct proc *p = bpf_map_lookup_elem(&parties, &key);

	if (p)
		return p;
	p = (struct proc *)&fresh;
	p->by.container = container;
	p->by.session = SESSION_MAIN;
	bpf_map_update_elem(&parties, &key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&parties, &key);
}

static __always_inline void listens(struct sock *sk)
{
	struct proc *p = current_proc();
	struct party_key key;
	struct contact c = { .direction = DIRECTION_LISTEN, .protocol = IPPROTO_TCP };
	u64 who;

	if (!p)
		return;
	who = who_of(p, about_now());
	own_address(&c, sk);
	c.port = c.local_port = sk->__sk_common.skc_num;
	contacted(&c, p, who);
	listener_key(&key, sk);
	note_listener(p, &key, socket_cgroup(sk), true);
}

static __always_inline void accepted(struct sock *sk)
{
	struct contact c = { .direction = DIRECTION_INGRESS };
	struct party_key key;
	struct proc *p;
	u64 container;

	listener_key(&key, sk);
	p = bpf_map_lookup_elem(&parties, &key);
	if (!p) {
		container = container_at(socket_cgroup(sk));
		p = container ? container_party(container) : NULL;
		if (!p)
			return;
	}
	peer_address(&c, sk);
	contacted(&c, p, party_who(p, about_now()));
}

/* In the task that calls connect. */
static __always_inline void begins(struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct proc *p = proc_of_current(task);
	u64 key = (u64)sk;
	struct party party;

	if (!p)
		return;
	__builtin_memcpy(&party, p, sizeof(party));
	__builtin_memcpy(((struct proc *)&party)->by.comm, task->comm, sizeof(task->comm));
	bpf_map_update_elem(&connecting, &key, &party, BPF_ANY);
}

/* The attempt is a flow already; that it failed is another. Without an error on the socket it was the program that gave up
 * before there was an answer, or there was no free port to connect from. */
static __always_inline void fails(struct sock *sk, struct proc *p)
{
	struct contact c = { .direction = DIRECTION_EGRESS };
	u64 container;

	if (!p) {
		container = container_at(socket_cgroup(sk));
		p = container ? container_party(container) : NULL;
		if (!p)
			return;
	}
	peer_address(&c, sk);
	c.local_port = 0;
	c.result = sk->sk_err ? sk->sk_err : ECANCELED;
	c.outcome = c.result == ECONNREFUSED ? OUTCOME_REFUSED : OUTCOME_FAILED;
	contacted(&c, p, party_who(p, about_now()));
}

/* SYN_SENT ends in every case with one of these, also when the process dies. */
static __always_inline void answered(struct sock *sk, int state)
{
	u64 key = (u64)sk;
	struct proc *p = bpf_map_lookup_elem(&connecting, &key);

	if (state == CLOSED)
		fails(sk, p);
	if (p)
		bpf_map_delete_elem(&connecting, &key);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_tcp_state, struct sock *sk, int from, int to)
{
	if (from == SYN_SENT) {
		if (sk->sk_protocol == IPPROTO_TCP)
			answered(sk, to);
		return 0;
	}
	if (to != LISTENING && CHANGE(from, to) != CHANGE(SYN_RECV, ESTABLISHED) &&
	    CHANGE(from, to) != CHANGE(CLOSED, SYN_SENT))
		return 0;
	if (sk->sk_protocol != IPPROTO_TCP) /* MPTCP's own socket: what carries it are TCP ones */
		return 0;
	if (to == LISTENING)
		listens(sk);
	else if (to == ESTABLISHED)
		accepted(sk);
	else
		begins(sk);
	return 0;
}
