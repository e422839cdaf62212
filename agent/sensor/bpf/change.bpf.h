/* A changed file told: the flow's key, the record, its admission. What changed is in a `struct changing`, kept from the first
 * stamp to the call's end (change.bpf.c). Calls for which no inode is known are told by the strings that the program passed.
 */
#ifndef VEDETTE_CHANGE_BPF_H
#define VEDETTE_CHANGE_BPF_H

#include "file.bpf.h"

#define TOUCHED 8 /* inodes that one call changes: rename has four, and overlayfs adds its own */
#define ALIASES 4 /* names of one inode that are looked at; a power of two */
#define NAME_MAX 255

/* By call number: enum operation | enum name_place << 5. Set before load: agent/sensor/calls.py. */
const volatile u8 changing_calls[512] = {};
const volatile u8 changing_compat_calls[512] = {};
enum name_place {
	PLACE_FIRST = 0,  /* the name is the call's first argument, a second name the next: rename */
	PLACE_SECOND = 1, /* the second, a second name the fourth: renameat, move_mount */
	PLACE_THIRD = 2,  /* symlinkat */
	PLACE_NONE = 3,	  /* a descriptor: fchmod */
	PLACE_TARGET = 4, /* the second, and the first is what comes there: mount */
};

struct alias {
	u64 dentry;
	u64 names;
};
/* An inode that a call changed. Its pointers are compared, and followed only by loads that can't fault: after an unlink it may
 * be gone. */
struct touched {
	struct view view; /* as it was before, by its first name */
	u64 folder;	  /* the dentry it was in */
	u64 ino;	  /* as in the inode itself, to know it again */
	struct alias alias[ALIASES];
	u32 aliases;
	u32 mode;
	u32 owner;
	u8 fresh; /* had no name yet: just made, or only now read from disk */
	u8 inner; /* overlayfs working on its own upper layer */
	u8 again; /* was stamped once more when it had a name */
	u8 pad;
	char leaf[NAME_MAX + 1]; /* rename: its name before */
};

struct changing {
	u64 stamped; /* inode, just now */
	u64 request; /* of io_uring; 0: a system call */
	u64 ring;
	u64 user_data;
	u64 claimed; /* the names that the program passed: addresses, 0: none */
	u64 claimed_second;
	u32 operation;
	u32 count;
	u32 ignored; /* touched a pipe or socket: no file, and no claim either */
	u32 told;
	u32 remove_folder; /* the call's own word: rmdir, AT_REMOVEDIR */
	u32 how;	   /* file flags: COMPAT, URING */
	/* What is told. */
	struct view file;
	struct view target; /* layer 0: none */
	u32 mode;
	u32 owner;
	struct touched touched[TOUCHED];
};

static __always_inline u64 names_of_change(struct changing *c)
{
	u64 names = c->file.names;

	if (c->target.layer)
		names = mix(mix(seed, names), c->target.names); /* the way back is another change */
	if (c->operation == OPERATION_CHMOD || c->operation == OPERATION_MKNOD)
		names = mix(names, c->mode); /* whether it sets user ids decides a verdict */
	if (c->operation == OPERATION_CHOWN)
		names = mix(names, c->owner);
	return names;
}

static __always_inline struct change_event *begin_change(struct scratch *s, struct changing *c, struct flow_key *key)
{
	struct change_event *e = (struct change_event *)s->out;

	e->key = *key;
	e->operation = c->operation;
	e->mode = c->mode;
	e->owner = c->owner;
	return e;
}

/* Tripwires of both names. A rename is counted below a judged folder only if it stays in that folder. */
static __always_inline void look_up_both(struct parent_look *look, struct changing *c)
{
	if (c->target.layer) {
		look->v = &c->target;
		look->wires_only |= folder_of(&c->file) != folder_of(&c->target);
		look_up_parents(look);
		if (look->tripwire || look->counted)
			return;
		look->wires_only = 1;
	}
	look->v = &c->file;
	look_up_parents(look);
}

/* First sight of this change, or one that waits for its answer. */
GLOBAL int novel_change(struct flow_key *key, struct changing *c, struct proc *p)
{
	struct parent_look look = { .p = p };
	struct admission a = {};
	u32 class, admitted;
	struct change_event *e;
	struct scratch *s;

	if (!key || !c || !p || is_host(p->by.container))
		return 0;
	a.now = look.now = bpf_ktime_get_boot_ns();
	look.class = class = key->what & (0xffff0000 | 31);
	look.dev = c->file.dev;
	look.wires_only = bpf_map_lookup_elem(&flows, key) != NULL;
	look_up_both(&look, c);
	if (look.counted)
		return 0;
	a.urgent = look.tripwire && may_trip(p, a.now);
	admitted = admit(key, p, &a);
	if (admitted == ADMITTED_OVER && !a.urgent) {
		if (!count_at_parent(&c->file, p, class, a.now))
			count_over(&a);
		return 0;
	}
	s = begin(KIND_CHANGE, &p->by, a.now, sizeof(*e));
	if (!s)
		return 0;
	e = begin_change(s, c, key);
	append_path(s, &c->file);
	fill_file(&e->file, &c->file);
	if (c->target.layer) {
		append_path(s, &c->target);
		fill_file(&e->target, &c->target);
	}
	if (admitted == ADMITTED_COUNTED || send_admitted(&a, s))
		keep_tail(key, s, sizeof(*e) + e->event.texts[0]);
	return 0;
}

/* Names come and go with new inodes under them each time: a verdict asks only for the name. */
static __always_inline bool is_of_names(u32 operation)
{
	return operation == OPERATION_RENAME || (operation >= OPERATION_SYMLINK && operation <= OPERATION_MKDIR) ||
	       operation == OPERATION_MKNOD;
}

/* c->file, and c->target where there are two names. */
GLOBAL int tell_change(struct changing *c, struct proc *p)
{
	u64 now = bpf_ktime_get_boot_ns();
	struct flow_key key = {};

	if (!c || !p)
		return 0;
	c->told++;
	c->file.flags |= c->how;
	key.who = who_of(p, now);
	key.names = names_of_change(c);
	key.dev = c->file.dev;
	if (!is_of_names(c->operation)) {
		key.ino = c->file.ino;
		key.real_dev = c->file.real_dev;
		key.generation = c->file.generation;
	}
	key.what = WHAT(KIND_CHANGE, c->file.layer, c->operation | c->file.flags << 5);
	if (!known(&key, p, now))
		novel_change(&key, c, p);
	return 0;
}

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

/* Which names a call was given; `n` of 0 to 3 is a constant in each branch. */
static __always_inline void read_claim(struct changing *c, struct pt_regs *regs, u32 place, bool two, bool compat)
{
#define ARGUMENT(n) (compat ? compat_argument(regs, n) : argument(regs, n))
	c->claimed = c->claimed_second = 0;
	if (place == PLACE_FIRST) {
		c->claimed = ARGUMENT(0);
		c->claimed_second = two ? ARGUMENT(1) : 0;
	} else if (place == PLACE_SECOND) {
		c->claimed = ARGUMENT(1);
		c->claimed_second = two ? ARGUMENT(3) : 0;
	} else if (place == PLACE_THIRD) {
		c->claimed = ARGUMENT(2);
	} else if (place == PLACE_TARGET) {
		c->claimed = two ? ARGUMENT(0) : ARGUMENT(1);
		c->claimed_second = two ? ARGUMENT(1) : 0;
	}
#undef ARGUMENT
}

/* Which call a task is in, by changing_calls; 0: one that changes no file. */
static __always_inline u32 changing_call(struct task_struct *task, struct pt_regs *regs)
{
	u64 nr = call_number(regs);

	if (nr >= 512)
		return 0;
	HIDE(nr);
	nr &= 511;
	return is_compat(task) ? changing_compat_calls[nr] : changing_calls[nr];
}

#endif
