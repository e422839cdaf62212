/* Composing a record: a fixed struct, then texts, in a buffer of this CPU, then out on a ring.
 *
 * tp_btf programs run with preemption off, so that the buffer is ours until the end of the program. Programs that can be
 * preempted or interrupt others (cgroup hooks, softirq) must not use it: they reserve on the ring instead.
 */
#ifndef VEDETTE_EVENT_BPF_H
#define VEDETTE_EVENT_BPF_H

#include "base.bpf.h"

#define TEXT_MAX 4096  /* of one text: PATH_MAX; a power of two */
#define OUT_MASK 16383 /* the longest record: an exec with three texts of TEXT_MAX and a cwd of half of it */

/* A per-CPU value has at most 32 KiB. */
struct scratch {
	u8 text[TEXT_MAX + 256];	 /* a path grows in here to the left; a name has at most 255 bytes */
	u8 out[OUT_MASK + 1 + TEXT_MAX]; /* the record */
	u64 length;
	u32 texts;
	u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline void fill_actor(struct actor *to, const struct actor *by)
{
	__builtin_memcpy(to, by, sizeof(*to));
	bpf_get_current_comm(to->comm, sizeof(to->comm));
}

/* Start a record of `size` fixed bytes, all zero but the header. */
static __always_inline void begin_in(struct scratch *s, u32 kind, const struct actor *by, u64 now, u32 size)
{
	struct event *e;

	__builtin_memset(s->out, 0, 512);
	e = (struct event *)s->out;
	e->time_ns = now;
	e->kind = kind;
	fill_actor(&e->by, by);
	s->length = size;
	s->texts = 0;
}

/* The same in this CPU's buffer. */
static __always_inline struct scratch *begin(u32 kind, const struct actor *by, u64 now, u32 size)
{
	u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

	if (s)
		begin_in(s, kind, by, now, size);
	return s;
}

static __always_inline void end_text(struct scratch *s, u64 length)
{
	u32 n = s->texts & 7;

	((struct event *)s->out)->texts[n] = length;
	s->texts = n + 1;
}

/* Append a kernel text of at most TEXT_MAX bytes. */
static __always_inline void append(struct scratch *s, const void *from, u64 length)
{
	u64 at = s->length & OUT_MASK;

	if (length > TEXT_MAX)
		length = TEXT_MAX;
	HIDE(length);
	if (length <= TEXT_MAX && bpf_probe_read_kernel(&s->out[at], length, from)) {
		count(COUNTER_READ_FAILED);
		length = 0;
	}
	s->length = at + length;
	end_text(s, length);
}

/* Append a NUL-terminated kernel text, without its NUL. */
static __always_inline void append_string(struct scratch *s, const void *from)
{
	u64 at = s->length & OUT_MASK;
	s64 n = bpf_probe_read_kernel_str(&s->out[at], TEXT_MAX, from);
	u64 length = n > 0 ? n - 1 : 0;

	if (n < 0)
		count(COUNTER_READ_FAILED);
	s->length = at + length;
	end_text(s, length);
}

/* Append bytes of the current task's memory; a fault gives an empty text and is counted. */
static __always_inline void append_user(struct scratch *s, u64 from, u64 length)
{
	u64 at = s->length & OUT_MASK;

	if (length > TEXT_MAX)
		length = TEXT_MAX;
	HIDE(length);
	if (length <= TEXT_MAX && bpf_probe_read_user(&s->out[at], length, (void *)from)) {
		count(COUNTER_READ_FAILED);
		length = 0;
	}
	s->length = at + length;
	end_text(s, length);
}

/* Append a NUL-terminated text of the current task's memory, without its NUL. */
static __always_inline void append_user_string(struct scratch *s, u64 from)
{
	u64 at = s->length & OUT_MASK;
	s64 n = bpf_probe_read_user_str(&s->out[at], TEXT_MAX, (void *)from);
	u64 length = n > 0 ? n - 1 : 0;

	if (n < 0)
		count(COUNTER_READ_FAILED);
	s->length = at + length;
	end_text(s, length);
}

/* Out on a ring; 0 when it took it. Wakes Python only if Python has read all that was there before. */
static __always_inline long send(void *ring, struct scratch *s)
{
	u64 length = s->length;

	HIDE(length);
	if (length < sizeof(struct event) || length > OUT_MASK)
		return -1;
	return bpf_ringbuf_output(ring, s->out, length, 0);
}

#endif
