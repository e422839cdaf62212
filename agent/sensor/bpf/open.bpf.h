/* Descriptors: the file behind one, and whether another thread could have swapped it. */
#ifndef VEDETTE_OPEN_BPF_H
#define VEDETTE_OPEN_BPF_H

#include "file.bpf.h"

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

#endif
