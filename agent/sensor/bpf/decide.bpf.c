/* What Python decides about a container and its budgets, stored in place: a value written from user space would undo what the
 * kernel noted in it meanwhile (the handover, counts).
 */
#include "flow.bpf.h"

struct decide_args {
	u64 cgroup;
	u64 main_pid; /* 0: as it is */
	u64 main_started_ns;
	u32 state;
	u32 pad;
};

SEC("syscall")
int decide(struct decide_args *args)
{
	u64 id = args->cgroup;
	struct container fresh = {}, *c;

	bpf_map_update_elem(&containers, &id, &fresh, BPF_NOEXIST);
	c = bpf_map_lookup_elem(&containers, &id);
	if (!c)
		return 1;
	if (args->main_pid && !c->main_pid) {
		c->main_started_ns = args->main_started_ns;
		c->main_pid = args->main_pid;
	}
	c->state = args->state;
	return 0;
}

struct allow_args {
	u64 container;
	u32 kind;
	u32 pad;
	struct allowance allowance;
};

SEC("syscall")
int allow(struct allow_args *args)
{
	struct budget *b = budget_of(args->container, args->kind, bpf_ktime_get_boot_ns());

	if (!b)
		return 1;
	b->quota = args->allowance.quota;
	b->rate = args->allowance.rate;
	b->burst = args->allowance.burst;
	if ((s64)b->tokens > (s64)b->burst)
		b->tokens = b->burst;
	return 0;
}
