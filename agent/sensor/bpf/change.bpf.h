/* A change of files while it happens: kept from the first stamp of an inode to the call's end.
 *
 *   change_touch.bpf.h   a stamp: which inode, its names until now
 *   change_find.bpf.h    the call's end: the name that is gone, new, or another one now
 *   change_layer.bpf.h   the same, where only overlayfs's own layer shows it
 *   change_event.bpf.h   what was found, told
 *   change_claim.bpf.h   nothing was found: told by the strings that the program passed
 *   mount.bpf.h          mounts
 *
 * The hooks: change_stamp.bpf.c, change.bpf.c (system calls), change_uring.bpf.c.
 */
#ifndef VEDETTE_CHANGE_BPF_H
#define VEDETTE_CHANGE_BPF_H

#include "call.bpf.h"
#include "file.bpf.h"

#define TOUCHED 8 /* inodes that one call changes: rename has four, and overlayfs adds its own */
#define ALIASES 4 /* names of one inode that are looked at; a power of two */
#define NAME_MAX 255
#define AT_REMOVEDIR 0x200
#define MODE_TYPE 0170000
#define MODE_FOLDER 0040000
#define MODE_LINK 0120000
#define MODE_CHARACTER 0020000

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
	u8 aside; /* a folder whose entries change, not what the call is about: of it only the inode is kept */
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

/* The change that a task is in the midst of. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct changing);
} changings SEC(".maps");

static __always_inline bool is_making(u32 operation)
{
	return operation == OPERATION_SYMLINK || operation == OPERATION_MKDIR || operation == OPERATION_MKNOD;
}

static __always_inline bool is_attribute(u32 operation)
{
	return operation == OPERATION_TRUNCATE || operation == OPERATION_CHMOD || operation == OPERATION_CHOWN ||
	       operation == OPERATION_XATTR;
}

static __always_inline void start(struct changing *c, u32 operation, u64 request)
{
	c->operation = operation;
	c->request = request;
	c->count = c->told = c->ignored = c->remove_folder = c->how = 0;
}

/* `call`: as in changing_calls. */
static __always_inline void start_call(struct changing *c, u32 call, struct pt_regs *regs, bool compat)
{
	u32 operation = call & 31;

	start(c, operation, 0);
	c->remove_folder = operation == OPERATION_RMDIR;
	if (operation == OPERATION_UNLINK && call >> 5 == PLACE_SECOND)
		c->remove_folder = (argument_of(regs, 2, compat) & AT_REMOVEDIR) != 0;
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
