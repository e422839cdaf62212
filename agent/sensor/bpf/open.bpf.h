/* Opens: the file behind a descriptor, whether another thread could have swapped it, and its flow. */
#ifndef VEDETTE_OPEN_BPF_H
#define VEDETTE_OPEN_BPF_H

#include "file.bpf.h"

#define FMODE_PATH (1 << 14)
#define FMODE_CREATED (1 << 20)
#define O_TRUNC 01000 /* as O_APPEND, alike on x86-64 and arm64 */
#define O_APPEND 02000

static __always_inline u64 file_at(struct task_struct *task, u64 fd)
{
	struct fdtable *table = task->files->fdt;

	if (fd >= table->max_fds)
		return 0;
	return WORD((u64)table->fd + 8 * fd);
}

/* Between the call's end and here a second thread may have put another file there with dup2, and then that file has more than
 * one reference. Not proof, but what remains is a race that loses far more often than it wins (docs/known-limitations). */
static __always_inline u32 suspect(struct task_struct *task, u64 file)
{
	return task->files->count.counter > 1 && has_more_references((struct file *)file) ? FILE_SUSPECT_FD : 0;
}

/* O_RDONLY 0, O_WRONLY 1, O_RDWR 2. The kernel takes O_CREAT and O_TRUNC off the open file: whether it was made by this open,
 * it notes; whether it was emptied, which O_RDONLY does too, the call's own flags tell. */
static __always_inline u32 access_of(struct file *f, u64 passed)
{
	u32 how = f->f_flags & 3;

	return (how == 1 ? 0 : ACCESS_READ) | (how ? ACCESS_WRITE : 0) |
	       (f->f_mode & FMODE_CREATED ? ACCESS_CREATE : 0) | (passed & O_TRUNC ? ACCESS_TRUNCATE : 0) |
	       (f->f_flags & O_APPEND ? ACCESS_APPEND : 0);
}

/* What a whole folder is answered for: making and emptying a file is writing, whatever it was opened for. */
static __always_inline u32 use_of(u32 access)
{
	return (access & 3) | (access & (ACCESS_CREATE | ACCESS_TRUNCATE) ? ACCESS_WRITE : 0);
}

static __always_inline void opened(struct proc *p, struct task_struct *task, u64 file, u32 flags, u64 passed)
{
	struct file *f = AS(file, file);
	struct flow_key key = {};
	struct view v;
	u64 now;
	u32 access, magic;

	if (!f->f_inode || f->f_mode & FMODE_PATH)
		return; /* O_PATH gives a name, not the file: using it later is an open of its own */
	magic = f->f_inode->i_sb->s_magic;
	if (magic == MAGIC_PIPE || magic == MAGIC_SOCKET)
		return; /* reopened by /proc/self/fd: no file */
	now = about_now();
	view_for(&v, (u64)f->f_inode, (u64)f->f_path.dentry, p);
	v.flags |= flags;
	access = access_of(f, passed);
	key.who = who_of_current(p, task, now);
	key.ino = v.ino;
	key.names = v.names;
	key.dev = v.dev;
	key.real_dev = v.real_dev;
	key.generation = v.generation;
	key.what = WHAT(KIND_OPEN, v.layer, access | v.flags << 5);
	if (known(&key, p, now))
		return;
	novel_file(&key, &v, p, WHAT(KIND_OPEN, v.layer, use_of(access)));
}

#endif
