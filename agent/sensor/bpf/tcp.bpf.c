/* What becomes of TCP connections: listening, accepted, refused, timed out. From the socket's changes of state.
 *
 * A change can come in a softirq, where the current task is anybody: then the container is the socket's own cgroup (which an
 * accepted socket has from its listener), and the process is the one that was noted when it called connect or listen.
 */
#include "net.bpf.h"

/* include/net/tcp_states.h */
enum { ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, CLOSED = 7, LISTENING = 10 };
#define CHANGE(from, to) ((from) << 4 | (to))

#define IPPROTO_TCP 6
#define ECANCELED 125

/* As much of a process's record as is needed when its task is not at hand: the beginning of struct proc. */
struct party {
	u64 head[__builtin_offsetof(struct proc, last_kind) / 8];
};

/* key: socket (its address), from connect until it is answered. Full: the failure is told without a process. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct party);
} connecting SEC(".maps");

/* Who listens on a port in a container; port 0: the container itself, where no process is known. Least recently used go first,
 * and are made again, or fall back to the container. */
struct party_key {
	u64 container;
	u32 port;
	u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct party_key);
	__type(value, struct party);
} parties SEC(".maps");

NOINLINE int note_party(struct proc *p, struct party *party)
{
	if (!p || !party)
		return 0;
	__builtin_memcpy(party, p, sizeof(*party));
	bpf_get_current_comm(((struct proc *)party)->by.comm, sizeof(p->by.comm));
	return 0;
}

static __always_inline u64 party_who(struct proc *p, u64 now)
{
	if (p->generation != generation || !p->who)
		name_who(p, now);
	return p->who;
}

/* Who a socket's events are ascribed to where no process is known: its container. */
static __always_inline struct proc *container_party(u64 container)
{
	struct party_key key = { .container = container };
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

static __always_inline void own_address(struct contact *c, struct sock *sk)
{
	if (sk->__sk_common.skc_family == AF_INET6)
		__builtin_memcpy(c->address, sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8, sizeof(c->address));
	else
		address4(c, sk->__sk_common.skc_rcv_saddr);
}

static __always_inline void peer_address(struct contact *c, struct sock *sk)
{
	if (sk->__sk_common.skc_family == AF_INET6)
		__builtin_memcpy(c->address, sk->__sk_common.skc_v6_daddr.in6_u.u6_addr8, sizeof(c->address));
	else
		address4(c, sk->__sk_common.skc_daddr);
	c->port = bpf_ntohs(sk->__sk_common.skc_dport);
	c->local_port = sk->__sk_common.skc_num;
	c->protocol = IPPROTO_TCP;
	c->aside = 1;
}

static __always_inline void listens(struct sock *sk)
{
	struct proc *p = current_proc();
	struct party_key key = {};
	struct contact c = { .direction = DIRECTION_LISTEN, .protocol = IPPROTO_TCP };
	struct party party;
	u64 now, who;

	if (!p)
		return;
	now = bpf_ktime_get_boot_ns();
	who = who_of(p, now);
	own_address(&c, sk);
	c.port = c.local_port = sk->__sk_common.skc_num;
	contacted(&c, p, who, now);
	note_party(p, &party);
	key.container = p->by.container;
	key.port = c.port;
	bpf_map_update_elem(&parties, &key, &party, BPF_ANY);
}

static __always_inline void accepted(struct sock *sk)
{
	struct contact c = { .direction = DIRECTION_INGRESS };
	struct party_key key = {};
	struct proc *p;
	u64 now;

	key.container = container_at(socket_cgroup(sk));
	if (!key.container)
		return;
	key.port = sk->__sk_common.skc_num;
	p = bpf_map_lookup_elem(&parties, &key);
	if (!p)
		p = container_party(key.container);
	if (!p)
		return;
	now = bpf_ktime_get_boot_ns();
	peer_address(&c, sk);
	contacted(&c, p, party_who(p, now), now);
}

/* In the task that calls connect. */
static __always_inline void begins(struct sock *sk)
{
	struct proc *p = current_proc();
	u64 key = (u64)sk;
	struct party party;

	if (!p)
		return;
	note_party(p, &party);
	bpf_map_update_elem(&connecting, &key, &party, BPF_ANY);
}

/* The attempt is a flow already; that it failed is another. Without an error on the socket it was the program that gave up
 * before there was an answer, or there was no free port to connect from. */
static __always_inline void fails(struct sock *sk, struct proc *p)
{
	struct contact c = { .direction = DIRECTION_EGRESS };
	u64 container, now;

	if (!p) {
		container = container_at(socket_cgroup(sk));
		p = container ? container_party(container) : NULL;
		if (!p)
			return;
	}
	now = bpf_ktime_get_boot_ns();
	peer_address(&c, sk);
	c.local_port = 0;
	c.result = sk->sk_err ? sk->sk_err : ECANCELED;
	c.outcome = c.result == ECONNREFUSED ? OUTCOME_REFUSED : OUTCOME_FAILED;
	contacted(&c, p, party_who(p, now), now);
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
	if (to != LISTENING && CHANGE(from, to) != CHANGE(SYN_RECV, ESTABLISHED) && CHANGE(from, to) != CHANGE(CLOSED, SYN_SENT))
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
