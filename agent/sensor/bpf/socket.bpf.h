/* The socket behind a descriptor. */
#ifndef VEDETTE_SOCKET_BPF_H
#define VEDETTE_SOCKET_BPF_H

#include "open.bpf.h"

/* NULL where the file is none. */
static __always_inline struct sock *socket_of(u64 file)
{
	struct file *f = AS(file, file);

	if (!file || !f->f_inode || f->f_inode->i_sb->s_magic != MAGIC_SOCKET)
		return NULL;
	return AS(socket, f->private_data)->sk;
}

#endif
