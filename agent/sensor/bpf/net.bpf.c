/* Who a container's processes reach for: every connect, and every datagram sent to an address, by whatever call (io_uring's and
 * 32-bit ones too: these hooks are below all of them). And the ports that datagram sockets are bound to.
 *
 * What they see is the attempt, in the process that makes it: the result is -1. What became of a TCP connect, tcp.bpf.c tells.
 * Each returns 1: allow.
 */
#include "net.bpf.h"

#define SOCK_DGRAM 2

/* `c` has the address. */
static __always_inline int attempted(struct bpf_sock_addr *ctx, struct contact *c, struct task_struct *task,
				     struct proc *p, u32 direction)
{
	c->port = bpf_ntohs(ctx->user_port);
	c->direction = direction;
	c->protocol = ctx->protocol;
	c->result = -1;
	contacted(c, p, who_of_current(p, task, about_now()));
	return 1;
}

/* Two forms: an IPv6 hook may not touch the fields of IPv4, nor share code that does. */
static __always_inline int attempted4(struct bpf_sock_addr *ctx, u32 direction)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct proc *p = proc_of_current(task);
	struct contact c = {};

	if (!p)
		return 1;
	address4(&c, ctx->user_ip4);
	return attempted(ctx, &c, task, p, direction);
}

static __always_inline int attempted6(struct bpf_sock_addr *ctx, u32 direction)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct proc *p = proc_of_current(task);
	struct contact c = {};

	if (!p)
		return 1;
	c.words[0] = ctx->user_ip6[0];
	c.words[1] = ctx->user_ip6[1];
	c.words[2] = ctx->user_ip6[2];
	c.words[3] = ctx->user_ip6[3];
	return attempted(ctx, &c, task, p, direction);
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
	return attempted4(ctx, DIRECTION_EGRESS);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
	return attempted6(ctx, DIRECTION_EGRESS);
}

SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *ctx)
{
	return attempted4(ctx, DIRECTION_EGRESS);
}

SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *ctx)
{
	return attempted6(ctx, DIRECTION_EGRESS);
}

/* A stream's bind says nothing yet: it may listen, or only choose where it connects from. Port 0 is one that the kernel picks. */
static __always_inline bool is_server(struct bpf_sock_addr *ctx)
{
	return ctx->type == SOCK_DGRAM && ctx->user_port;
}

SEC("cgroup/bind4")
int on_bind4(struct bpf_sock_addr *ctx)
{
	return is_server(ctx) ? attempted4(ctx, DIRECTION_BIND) : 1;
}

SEC("cgroup/bind6")
int on_bind6(struct bpf_sock_addr *ctx)
{
	return is_server(ctx) ? attempted6(ctx, DIRECTION_BIND) : 1;
}
