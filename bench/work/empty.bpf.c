/* Programs that do nothing, at the places where the sensor's sit: what the hooks themselves cost on this machine. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sys_exit")
int at_sys_exit(void *ctx)
{
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int at_tcp_state(void *ctx)
{
	return 0;
}

SEC("cgroup/connect4")
int at_connect(struct bpf_sock_addr *ctx)
{
	return 1;
}

SEC("cgroup/sock_create")
int at_socket(struct bpf_sock *ctx)
{
	return 1;
}

SEC("cgroup_skb/ingress")
int at_ingress(struct __sk_buff *skb)
{
	return 1;
}

SEC("cgroup_skb/egress")
int at_egress(struct __sk_buff *skb)
{
	return 1;
}
