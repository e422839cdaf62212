/* TCP sockets: their addresses, and who is behind them when their process is not at hand. */
#ifndef VEDETTE_TCP_BPF_H
#define VEDETTE_TCP_BPF_H

#include "net.bpf.h"

#ifndef IPPROTO_TCP
#define IPPROTO_TCP 6
#endif

/* include/net/tcp_states.h */
enum { ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, CLOSED = 7, LISTENING = 10 };

/* As much of a process's record as is needed when its task is not at hand: the beginning of struct proc. */
struct party {
	u64 head[__builtin_offsetof(struct proc, last_kind) / 8];
};

/* Who listens on a port, by the cgroup of the listener's socket, which those that it accepts have from it: found without asking
 * for the container. Port 0: a container itself, where no process is known. Least recently used go first, and are made again,
 * or fall back to the container. */
struct party_key {
	u64 cgroup;
	u32 port;
	u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct party_key);
	__type(value, struct party);
} parties SEC(".maps");

static __always_inline void listener_key(struct party_key *key, struct sock *sk)
{
	key->cgroup = socket_cgroup(sk)->kn->id;
	key->port = sk->__sk_common.skc_num;
	key->pad = 0;
}

/* From now on, whoever comes to the socket comes to this process. Not where others share the socket's cgroup, and may listen on
 * the same port: one who entered without its container's cgroup, or where cgroup v1 names containers. */
NOINLINE int note_listener(struct proc *p, struct party_key *key, struct cgroup *cgroup, bool current)
{
	struct party party;

	if (!p || !key || container_at(cgroup) != p->by.container)
		return 0;
	__builtin_memcpy(&party, p, sizeof(party));
	if (current)
		bpf_get_current_comm(((struct proc *)&party)->by.comm, sizeof(p->by.comm));
	bpf_map_update_elem(&parties, key, &party, BPF_ANY);
	return 0;
}

static __always_inline u64 party_who(struct proc *p, u64 now)
{
	if (!p->who || p->generation != generation || p->forgotten != whos_forgotten)
		name_who(p, now);
	return p->who;
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

#endif
