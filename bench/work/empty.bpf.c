/* Programs that do nothing, at the places where the sensor's sit and at others where they could: what the hooks themselves cost. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define NOTHING(name, place, verdict) \
	SEC(place)                    \
	int name(void *ctx)           \
	{                             \
		return verdict;       \
	}

NOTHING(every_call, "tp_btf/sys_exit", 0)
NOTHING(tcp_state, "tp_btf/inet_sock_set_state", 0)
NOTHING(connecting, "cgroup/connect4", 1)
NOTHING(new_socket, "cgroup/sock_create", 1)
NOTHING(packet_in, "cgroup_skb/ingress", 1)
NOTHING(packet_out, "cgroup_skb/egress", 1)

NOTHING(one_call, "tp/syscalls/sys_exit_openat", 0)
NOTHING(packet_queued, "tp_btf/net_dev_queue", 0)
NOTHING(packet_received, "tp_btf/netif_receive_skb", 0)
