/* The kernel's structures, only the fields that we read. CO-RE relocates every access, so order and gaps mean nothing here.
 * Where kernels differ, the difference is one accessor in core_fixes.bpf.h.
 */
#ifndef VEDETTE_KERNEL_H
#define VEDETTE_KERNEL_H

#include <linux/types.h>
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct timespec64 {
	s64 tv_sec;
};
struct list_head {
	struct list_head *next;
};
struct hlist_node {
	struct hlist_node *next;
};
struct hlist_head {
	struct hlist_node *first;
};
struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};
struct rb_root {
	struct rb_node *rb_node;
};
struct callback_head {
	struct callback_head *next;
	void (*func)(struct callback_head *);
};
typedef struct {
	int counter;
} atomic_t;
typedef struct {
	s64 counter;
} atomic64_t;
typedef struct {
	u32 val;
} kuid_t;
typedef struct {
	u32 val;
} kgid_t;
typedef struct {
	u64 val;
} kernel_cap_t;

/* files */
struct qstr {
	u32 len;
	const unsigned char *name;
};
struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};
struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
	union {
		struct hlist_node d_alias;
	} d_u;
};
struct super_block {
	u32 s_dev;
	unsigned long s_magic;
	struct dentry *s_root;
	unsigned long s_flags;
	void *s_fs_info;
};
struct inode {
	u16 i_mode;
	kuid_t i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
	const unsigned int i_nlink;
	u32 i_rdev;
	s64 i_ctime_sec;
	u32 i_ctime_nsec;
	u32 i_generation;
	struct hlist_head i_dentry;
};
struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
	int mnt_flags;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
typedef struct {
	atomic64_t refcnt;
} file_ref_t;
struct file {
	u32 f_mode;
	void *private_data;
	struct inode *f_inode;
	unsigned int f_flags;
	struct path f_path;
	struct callback_head f_task_work;
	file_ref_t f_ref;
};
struct backing_file {
	struct file file;
	struct path user_path;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	atomic_t count;
	struct fdtable *fdt;
};
struct fs_struct {
	struct path root;
	struct path pwd;
};
struct ns_common {
	unsigned int inum;
	u64 ns_id;
};
struct mnt_namespace {
	struct ns_common ns;
	u64 seq;		       /* until 6.17; ns.ns_id since */
	struct rb_root mounts;	       /* since 6.8 */
	struct rb_node *mnt_last_node; /* since 6.11; the newest */
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct rb_node mnt_node;
	struct mnt_namespace *mnt_ns;
};
struct ovl_path {
	struct dentry *dentry;
};
struct ovl_entry {
	unsigned int __numlower;
	struct ovl_path __lowerstack[0];
};
struct ovl_inode {
	struct inode vfs_inode;
	struct dentry *__upperdentry;
	struct ovl_entry *oe; /* since 6.5 */
};
struct ovl_layer {
	struct vfsmount *mnt;
};
struct ovl_fs {
	struct ovl_layer *layers;
};
struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};

/* tasks */
struct thread_info {
	u32 status;
};
struct upid {
	int nr;
};
struct pid {
	unsigned int level;
	struct upid numbers[0];
};
struct tty_struct {
	char name[64];
};
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID };
struct signal_struct {
	atomic_t live;
	struct pid *pids[4];
	struct tty_struct *tty;
	int group_exit_code;
};
struct user_namespace {
	int level;
};
struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kuid_t euid;
	kernel_cap_t cap_permitted;
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
};
struct nsproxy {
	struct mnt_namespace *mnt_ns;
};
struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
};
struct seccomp {
	int mode;
};
struct kernfs_node {
	const char *name;
	u64 id;
};
struct cgroup_root {
	int hierarchy_id;
};
struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	struct cgroup *ancestors[0];
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
};
struct css_set {
	struct cgroup_subsys_state *subsys[12];
	struct cgroup *dfl_cgrp;
};
struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int exit_code;
	unsigned int personality;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	const struct cred *cred;
	const struct cred *real_cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct callback_head *task_works;
	kuid_t loginuid;
	struct seccomp seccomp;
	unsigned long atomic_flags;
	struct mm_struct *mm;
	struct css_set *cgroups;
	void *worker_private; /* of an io_uring worker: its struct io_worker */
	void *bpf_storage;    /* what BPF programs keep with the task; NULL: nothing */
};
struct linux_binprm {
	struct file *file;
	const char *filename;
	const char *interp;
	unsigned int secureexec : 1;
};
struct vm_area_struct {
	unsigned long vm_start, vm_end;
	unsigned long vm_flags;
	struct file *vm_file;
};
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	u64 regs[31], sp, pc, pstate, orig_x0;
	s32 syscallno;
};
#endif

/* sockets */
struct in6_addr {
	union {
		u8 u6_addr8[16];
	} in6_u;
};
struct sock_common {
	union {
		struct {
			__be32 skc_daddr;
			__be32 skc_rcv_saddr;
		};
	};
	union {
		struct {
			__be16 skc_dport;
			u16 skc_num;
		};
	};
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};
struct sock_cgroup_data {
	struct cgroup *cgroup;
};
struct sock {
	struct sock_common __sk_common;
	int sk_err;
	u16 sk_protocol;
	unsigned char sk_userlocks : 4;
	struct sock_cgroup_data sk_cgrp_data;
};
struct socket {
	struct file *file;
	struct sock *sk;
};
struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};
struct unix_address {
	int len;
	struct sockaddr_un name[0];
};
struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct path path;
	struct sock *peer;
};

/* io_uring */
struct io_uring_cqe {
	s32 res;
};
struct io_rsrc_node {
	unsigned long file_ptr;
};
struct io_rsrc_data {
	unsigned int nr;
	struct io_rsrc_node **nodes;
};
struct io_file_table {
	struct io_rsrc_data data;
};
struct io_ring_ctx {
	struct io_file_table file_table;
};
struct io_wq_work {
	int cancel_seq;
};
struct io_worker {
	struct io_wq_work *cur_work;
};
struct io_cqe {
	u64 user_data;
};
struct io_kiocb {
	union {
		struct file *file;
	};
	u8 opcode;
	u64 flags;
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
	const struct cred *creds;
	struct io_wq_work work;
};
struct filename {
	const char *name;
};
struct io_rename {
	struct filename *oldpath;
	struct filename *newpath;
};
struct io_link {
	struct filename *oldpath;
	struct filename *newpath;
};
struct io_unlink {
	int flags;
	struct filename *filename;
};
struct io_mkdir {
	struct filename *filename;
};
struct open_how {
	u64 flags;
};
struct io_open {
	struct filename *filename;
	u32 file_slot;
	struct open_how how;
};
struct io_socket {
	int domain;
	int type;
	int protocol;
};

/* iterators */
struct seq_file {
	unsigned long size;
	unsigned long count;
};
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#include "sensor.h"

#endif
