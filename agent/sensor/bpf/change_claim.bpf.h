/* A change that no stamp shows, told by the strings that the program passed: they are claims, which no path rule allows. */
#ifndef VEDETTE_CHANGE_CLAIM_BPF_H
#define VEDETTE_CHANGE_CLAIM_BPF_H

#include "change_event.bpf.h"

static __always_inline void append_claimed(struct scratch *s, struct changing *c, u64 name)
{
	if (!name)
		end_text(s, 0);
	else if (c->request)
		append_string(s, (void *)name); /* io_uring copied it into the kernel */
	else
		append_user_string(s, name);
}

static __always_inline void fill_claimed(struct file_id *f, u64 names, u32 flags)
{
	f->names = names;
	f->flags = flags;
	f->layer = LAYER_NEW_MOUNT; /* which no path rule allows */
}

/* The call worked, but which file it was can't be shown. */
GLOBAL int tell_claim(struct changing *c, struct proc *p)
{
	u64 now = bpf_ktime_get_boot_ns(), first, second;
	struct admission a = { .now = now };
	struct flow_key key = {};
	struct change_event *e;
	struct scratch *s;
	u32 admitted;

	if (!c || !p || is_host(p->by.container))
		return 0;
	s = begin(KIND_CHANGE, &p->by, now, sizeof(*e));
	if (!s)
		return 0;
	append_claimed(s, c, c->claimed);
	first = hash_text((u64)&s->out[sizeof(*e)], (s->length - sizeof(*e)) & (TEXT_MAX - 1));
	second = s->length & OUT_MASK;
	append_claimed(s, c, c->claimed_second);
	second = hash_text((u64)&s->out[second], (s->length - second) & (TEXT_MAX - 1));
	if (c->operation == OPERATION_RENAME && first == second)
		return 0; /* which changes nothing */
	key.who = who_of(p, now);
	key.names = c->claimed_second ? mix(mix(seed, first), second) : first;
	key.what = WHAT(KIND_CHANGE, LAYER_NEW_MOUNT, c->operation | (FILE_CLAIMED | c->how) << 5);
	if (known(&key, p, now))
		return 0;
	e = begin_change(s, c, &key);
	fill_claimed(&e->file, first, FILE_CLAIMED | c->how);
	if (c->claimed_second)
		fill_claimed(&e->target, second, FILE_CLAIMED | c->how);
	admitted = admit(&key, p, &a);
	if (admitted == ADMITTED_OVER)
		count_over(&a);
	else if (admitted == ADMITTED_COUNTED || send_admitted(&a, s))
		keep_tail(&key, s, sizeof(*e) + e->event.texts[0]);
	return 0;
}

/* Which names a call was given. */
static __always_inline void read_claim(struct changing *c, struct pt_regs *regs, u32 place, bool two, bool compat)
{
	c->claimed = c->claimed_second = 0;
	if (place == PLACE_FIRST) {
		c->claimed = argument_of(regs, 0, compat);
		c->claimed_second = two ? argument_of(regs, 1, compat) : 0;
	} else if (place == PLACE_SECOND) {
		c->claimed = argument_of(regs, 1, compat);
		c->claimed_second = two ? argument_of(regs, 3, compat) : 0;
	} else if (place == PLACE_THIRD) {
		c->claimed = argument_of(regs, 2, compat);
	} else if (place == PLACE_TARGET) {
		c->claimed = two ? argument_of(regs, 0, compat) : argument_of(regs, 1, compat);
		c->claimed_second = two ? argument_of(regs, 1, compat) : 0;
	}
}

#endif
