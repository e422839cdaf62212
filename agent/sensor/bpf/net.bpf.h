/* Network flows: what connects, datagrams, listeners and accepted connections have in common.
 *
 * Cgroup hooks can be preempted and state changes also come in softirqs: nothing here uses the CPU's scratch, a record is built
 * on the ring itself.
 */
#ifndef VEDETTE_NET_BPF_H
#define VEDETTE_NET_BPF_H

#include "flow.bpf.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define ECONNREFUSED 111
#define MAPPED bpf_htonl(0xffff) /* the third word of ::ffff:a.b.c.d */

/* Who a container talks to, and how. */
struct contact {
	union {
		u8 address[16];
		u32 words[4];
		u64 halves[2];
	};
	u16 port;
	u16 local_port;
	u8 direction;
	u8 protocol;
	u8 outcome;
	u8 aside; /* not the current task's: its name is in the record, if it is known */
	s32 result;
	u8 standing; /* older than the agent */
	u8 pad[3];
};

static __always_inline void address4(struct contact *c, u32 address)
{
	c->words[2] = MAPPED;
	c->words[3] = address;
}

static __always_inline bool is_mapped(const struct contact *c)
{
	return !c->halves[0] && c->words[2] == MAPPED;
}

/* The /24 or /64: see prefix_key.names. */
static __always_inline u64 network_of(const struct contact *c)
{
	return is_mapped(c) ? c->halves[1] & bpf_cpu_to_be64(~0xffull) : c->halves[0];
}

static __always_inline bool is_denied(u64 container, const struct contact *c)
{
	struct tripwire_network key = { .bits = 64 + 128 };

	__builtin_memcpy(key.address, c->address, sizeof(key.address));
	if (bpf_map_lookup_elem(&tripwire_networks, &key))
		return true;
	key.container_low = container;
	key.container_high = container >> 32;
	return bpf_map_lookup_elem(&tripwire_networks, &key) != NULL;
}

/* The quota is spent: count at the network, which its key names. No record: the sweep of the prefixes tells. */
static __always_inline bool count_at_network(struct prefix_key *key, struct proc *p, u64 now)
{
	struct prefix fresh = { .count = 1, .last_ns = now, .actor = p->actor };
	struct budget *b = budget_of(key->container, KIND_MANY, now);

	if (count_prefix(key, SCOPES_ALL, p, now))
		return true;
	if (!b)
		return false;
	if (__sync_fetch_and_add(&b->flows, 1) >= b->quota) {
		add(&b->flows, -1);
		return false;
	}
	if (!bpf_map_update_elem(&prefixes, key, &fresh, BPF_NOEXIST))
		return true;
	add(&b->flows, -1);
	return count_prefix(key, SCOPES_ALL, p, now); /* another CPU was first, or the map is full */
}

static __always_inline void fill_net(struct net_event *e, const struct flow_key *key, const struct contact *c,
				     const struct proc *p, u64 now)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->event.time_ns = now;
	e->event.kind = KIND_NET;
	__builtin_memcpy(&e->event.by, &p->by, sizeof(e->event.by));
	if (!c->aside)
		bpf_get_current_comm(e->event.by.comm, sizeof(e->event.by.comm));
	__builtin_memcpy(&e->key, key, sizeof(*key));
	__builtin_memcpy(e->address, c->address, sizeof(e->address));
	e->port = c->port;
	e->local_port = c->local_port;
	e->direction = c->direction;
	e->protocol = c->protocol;
	e->standing = c->standing;
	e->result = c->result;
}

static __always_inline void tell_contact(struct admission *a, const struct flow_key *key, const struct contact *c,
					 const struct proc *p)
{
	struct net_event *e;

	if (a->urgent)
		e = bpf_ringbuf_reserve(&urgent, sizeof(*e), 0);
	else
		e = bpf_ringbuf_reserve(&novelty, sizeof(*e), 0);
	if (e) {
		fill_net(e, key, c, p, a->now);
		bpf_ringbuf_submit(e, 0);
	}
	settle(a, e ? 0 : -1);
}

/* Stock is taken again: nothing happened, so nothing is counted. */
static __always_inline bool only_stands(const struct contact *c)
{
	return c->standing && stock_again;
}

/* First sight of a contact, or one that waits for its answer. */
NOINLINE int novel_contact(struct flow_key *key, struct contact *c, struct proc *p, u64 now)
{
	struct prefix_key network = {};
	struct admission a = {};
	u32 admitted;

	if (!key || !c || !p || is_host(p->by.container))
		return 0;
	network.container = p->by.container;
	network.names = network_of(c);
	network.dev = (u32)key->port << 16 | c->protocol;
	network.what = WHAT(KIND_NET, 0, c->direction);
	a.now = now;
	a.urgent = c->direction == DIRECTION_EGRESS && !c->outcome && is_denied(network.container, c) &&
		   may_trip(p, now);
	/* One that has an entry was counted there already. */
	if (only_stands(c) && bpf_map_lookup_elem(&prefixes, &network))
		return 0;
	if (!a.urgent && !bpf_map_lookup_elem(&flows, key) && count_prefix(&network, SCOPES_JUDGED, p, now))
		return 0;
	admitted = admit(key, p, &a);
	if (admitted == ADMITTED_OVER && only_stands(c))
		return 0;
	if (admitted == ADMITTED_OVER && !a.urgent) {
		if (!count_at_network(&network, p, now))
			count_over(&a);
	} else if (admitted != ADMITTED_COUNTED) {
		tell_contact(&a, key, c, p);
	}
	return 0;
}

/* The key's port is the one that says what the connection is for: the peer's, or our own where we are the server. */
static __always_inline void contacted(struct contact *c, struct proc *p, u64 who)
{
	struct flow_key key = {};

	key.who = who;
	__builtin_memcpy(key.address, c->address, sizeof(key.address));
	key.port = c->direction == DIRECTION_INGRESS ? c->local_port : c->port;
	key.what = WHAT(KIND_NET, 0, c->outcome << 12 | c->direction << 8 | c->protocol);
	if (only_stands(c) && bpf_map_lookup_elem(&flows, &key))
		return;
	if (!known(&key, p, about_now()))
		novel_contact(&key, c, p, bpf_ktime_get_boot_ns());
}

#endif
