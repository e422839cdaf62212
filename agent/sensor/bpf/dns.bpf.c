/* DNS: answers that a container's socket receives from port 53, and queries that it sends there, copied as they are.
 *
 * They are not parsed here: names are compressed by pointers, which is no work for the verifier. Every packet of the host comes
 * by: all but port 53 leave after a few loads. The container is the socket's own cgroup; a packet has no process.
 */
#include "net.bpf.h"

#define PORT_DNS 53
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define EXTENSIONS 4	  /* headers of IPv6 between address and port that we walk over */
#define MESSAGE_HEAD 12	  /* RFC 1035 4.1.1 */
#define MESSAGE_SHORT 256 /* most are; a ring's room is reserved in two sizes */
#define MESSAGE_MAX 1232  /* what resolvers ask for (dnsflagday.net/2020) */
#define TCP_LENGTH 2	  /* the message's length in front of it, on TCP */

struct packet {
	u8 server[16];
	u64 at;	    /* the message; on TCP its length */
	u64 length; /* of the message, true; on TCP with those two bytes */
	u64 copied; /* of it, from this packet */
	u32 tcp;
	u32 pad;
};

/* The network header, which lies in one piece with the ports behind it. NULL where they are not DNS's. */
static __always_inline u8 *ports_of(struct __sk_buff *skb, u32 *protocol)
{
	u8 *ip = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *at;
	u64 size;

	if (skb->protocol == bpf_htons(ETHERTYPE_IPV4)) {
		if (ip + 20 > end)
			return NULL;
		*protocol = ip[9];
		size = (ip[0] & 15) * 4;
	} else if (skb->protocol == bpf_htons(ETHERTYPE_IPV6)) {
		if (ip + 40 > end)
			return NULL;
		*protocol = ip[6];
		size = 40;
		for (int i = 0; i < EXTENSIONS; i++) {
			if (*protocol != 0 && *protocol != 43 && *protocol != 60) /* hop by hop, routing, destination */
				break;
			at = ip + size;
			if (at + 8 > end)
				return NULL;
			*protocol = at[0];
			size += (at[1] + 1) * 8;
		}
	} else {
		return NULL;
	}
	at = ip + size;
	if (at + 4 > end || (*protocol != IPPROTO_UDP && *protocol != IPPROTO_TCP))
		return NULL;
	return at;
}

/* On TCP only a segment that begins with a message is taken: its length, then a header with one question. */
static __always_inline bool find_message(struct __sk_buff *skb, struct packet *k, bool sent)
{
	u64 whole = skb->len, lead = k->tcp ? TCP_LENGTH : 0;
	u8 length[TCP_LENGTH], head[MESSAGE_HEAD];

	if (k->at + lead + MESSAGE_HEAD > whole)
		return false;
	if (bpf_skb_load_bytes(skb, k->at + lead, head, sizeof(head)))
		return false;
	if (head[4] || head[5] != 1 || !!(head[2] & 0x80) == sent)
		return false; /* not one question, or a query where an answer belongs */
	k->length = k->copied = whole - k->at;
	if (!lead)
		return true;
	if (bpf_skb_load_bytes(skb, k->at, length, sizeof(length)))
		return false;
	k->length = (length[0] << 8 | length[1]) + TCP_LENGTH;
	if (k->length < k->copied)
		k->copied = k->length; /* the next message follows */
	return k->length >= TCP_LENGTH + MESSAGE_HEAD;
}

static __always_inline bool tell_message(struct __sk_buff *skb, struct packet *k, u64 container, u64 now, u32 room)
{
	struct dns_event *e = bpf_ringbuf_reserve(&novelty, sizeof(*e) + room, 0);
	u64 copied = k->copied < room ? k->copied : room;

	if (!e)
		return false;
	__builtin_memset(e, 0, sizeof(*e));
	e->event.time_ns = now;
	e->event.kind = KIND_DNS;
	e->event.by.container = container;
	__builtin_memcpy(e->server, k->server, sizeof(e->server));
	e->length = k->length;
	e->tcp = k->tcp;
	HIDE(copied);
	if (copied < MESSAGE_HEAD || copied > room || bpf_skb_load_bytes(skb, k->at, e + 1, copied)) {
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return false;
	}
	e->event.texts[0] = copied;
	bpf_ringbuf_submit(e, 0);
	return true;
}

/* Each is a record of its own, within the container's budget; what is beyond it or finds no room is lost, and counted. */
NOINLINE int tell_dns(struct __sk_buff *skb, struct packet *k, u64 container)
{
	struct budget *b;
	u64 now = bpf_ktime_get_boot_ns();
	bool told;

	if (!k)
		return 0;
	b = budget_of(container, KIND_DNS, now);
	if (b && !take_token(b, now)) {
		add(&b->lost, 1);
		return 0;
	}
	if (k->copied <= MESSAGE_SHORT)
		told = tell_message(skb, k, container, now, MESSAGE_SHORT);
	else
		told = tell_message(skb, k, container, now, MESSAGE_MAX);
	if (!told)
		count(COUNTER_DNS_LOST);
	if (b)
		add(told ? &b->sent : &b->lost, 1);
	return 0;
}

static __always_inline void server_address(struct __sk_buff *skb, struct packet *k, bool sent)
{
	if (skb->protocol == bpf_htons(ETHERTYPE_IPV6)) {
		bpf_skb_load_bytes(skb, sent ? 24 : 8, k->server, 16);
		return;
	}
	k->server[10] = k->server[11] = 0xff;
	bpf_skb_load_bytes(skb, sent ? 16 : 12, k->server + 12, 4);
}

static __always_inline void look_at_packet(struct __sk_buff *skb, bool sent)
{
	u8 *ip = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *ports;
	struct packet k;
	struct sock *sk;
	u64 container;
	u32 protocol;

	ports = ports_of(skb, &protocol);
	if (!ports || ports[sent ? 3 : 1] != PORT_DNS || ports[sent ? 2 : 0])
		return;
	k = (struct packet){ .at = ports - ip + 8 };
	if (protocol == IPPROTO_TCP) {
		if (ports + 20 > end)
			return;
		k.tcp = 1;
		k.at = ports - ip + (ports[12] >> 4) * 4;
	}
	sk = AS(sock, skb->sk);
	if (!sk || !find_message(skb, &k, sent))
		return;
	container = container_at(socket_cgroup(sk));
	if (!container)
		return;
	server_address(skb, &k, sent);
	tell_dns(skb, &k, container);
}

SEC("cgroup_skb/ingress")
int on_received(struct __sk_buff *skb)
{
	look_at_packet(skb, false);
	return 1;
}

SEC("cgroup_skb/egress")
int on_sent(struct __sk_buff *skb)
{
	look_at_packet(skb, true);
	return 1;
}
