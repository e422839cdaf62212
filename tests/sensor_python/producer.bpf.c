// Writes records to a ring buffer, for the tests of the reader: one record of `length` bytes, each of value `value`.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct order {
	__u32 length;
	__u32 value;
	__u32 discard;
	__u32 pad;
};

SEC("syscall")
int produce(struct order *order)
{
	__u8 *record;
	__u64 i;

	if (order->length == 64) {
		record = bpf_ringbuf_reserve(&ring, 64, 0);
	} else if (order->length == 13) {
		record = bpf_ringbuf_reserve(&ring, 13, 0);
	} else {
		return 2;
	}
	if (!record)
		return 1;
	for (i = 0; i < 13; i++)
		record[i] = order->value;
	if (order->discard)
		bpf_ringbuf_discard(record, 0);
	else
		bpf_ringbuf_submit(record, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
