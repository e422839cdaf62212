/* Files changed without an open: their names, owner, mode, size, attributes.
 *
 * The kernel stamps the change time of every inode that a call changes, in the caller's context, on every filesystem (since
 * 6.13 by the three tracepoints below). Which call it is, its number tells. No string of the program's is read:
 *
 *   stamp ── which inode, its name until now ──┐
 *   the call's end ── did it work? ────────────┴─► the name that is gone, new, or another one now: that is what changed
 *
 * The stamps fire for every change of every inode of the host: the cheapest test comes first. The runtime's own steps are left
 * out: what it changes lies on no mount of the container's yet.
 */
#include "change.bpf.h"
#include "mount.bpf.h"

#define MODE_TYPE 0170000
#define MODE_FOLDER 0040000
#define MODE_LINK 0120000
#define MODE_CHARACTER 0020000
#define PF_IO_WORKER 0x10
#define REQUEST_SILENT (1 << 6) /* REQ_F_CQE_SKIP: success posts no completion */
#define AT_REMOVEDIR 0x200

/* The change that a task is in the midst of. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct changing);
} changings SEC(".maps");

/* The same for io_uring, by request, from its submission to its completion: that may run in another task. Full: such changes
 * are told by the names that the request was given. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct changing);
} ring_changings SEC(".maps");

/* key: a request that was told by its names, until it is submitted anew. Least recently used go first: told twice. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u32);
} told_requests SEC(".maps");

/* One that is all zero, to make new ones from. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct changing);
} blank_changing SEC(".maps");

static __always_inline bool is_making(u32 operation)
{
	return operation == OPERATION_SYMLINK || operation == OPERATION_MKDIR || operation == OPERATION_MKNOD;
}

static __always_inline bool is_attribute(u32 operation)
{
	return operation == OPERATION_TRUNCATE || operation == OPERATION_CHMOD || operation == OPERATION_CHOWN ||
	       operation == OPERATION_XATTR;
}

/* overlayfs works on its layers with the credentials of whoever mounted it. A request of io_uring may have its own. */
static __always_inline bool is_overridden(struct task_struct *task, u64 request)
{
	u64 cred = (u64)task->cred;

	if (cred == (u64)task->real_cred)
		return false;
	return !request || cred != (u64)AS(io_kiocb, request)->creds;
}

static __always_inline u64 first_alias(u64 inode)
{
	u64 node = (u64)AS(inode, inode)->i_dentry.first;

	return node ? node - bpf_core_field_offset(struct dentry, d_u.d_alias) : 0;
}

static __always_inline u64 next_alias(u64 dentry)
{
	u64 node = (u64)AS(dentry, dentry)->d_u.d_alias.next;

	return node ? node - bpf_core_field_offset(struct dentry, d_u.d_alias) : 0;
}

GLOBAL u64 names_of(struct view *v)
{
	struct view copy = {};

	if (!v)
		return 0;
	copy.dentry = v->dentry;
	copy.superblock = v->superblock;
	copy.magic = v->magic;
	copy.top = v->top;
	return hash_names(&copy);
}

static __always_inline void keep_aliases(struct touched *t, u64 dentry, bool names)
{
	u64 first = t->view.dentry;
	u32 n = 0;

	for (int i = 0; i < ALIASES; i++) {
		if (!dentry)
			break;
		t->alias[i].dentry = t->view.dentry = dentry;
		t->alias[i].names = names ? names_of(&t->view) : 0;
		n = i + 1;
		dentry = next_alias(dentry);
	}
	t->aliases = n;
	t->view.dentry = first;
}

static __always_inline void keep_leaf(struct touched *t, u64 dentry)
{
	struct dentry *d = AS(dentry, dentry);
	u64 length = d->d_name.len;

	t->view.leaf_length = length & NAME_MAX;
	bpf_probe_read_kernel(t->leaf, length & NAME_MAX, d->d_name.name);
}

static __always_inline void touch(struct touched *t, struct proc *p, u64 inode, bool inner, bool rename)
{
	struct inode *i = AS(inode, inode);
	u64 dentry = first_alias(inode);

	t->view.inode = inode;
	t->view.superblock = (u64)i->i_sb;
	t->ino = i->i_ino;
	t->mode = i->i_mode;
	t->owner = i->i_uid.val;
	t->fresh = !dentry;
	t->inner = inner;
	t->again = 0;
	t->aliases = 0;
	if (!dentry)
		return;
	t->folder = (u64)AS(dentry, dentry)->d_parent;
	if (!inner)
		view_for(&t->view, inode, dentry, p);
	keep_aliases(t, dentry, !inner);
	if (rename)
		keep_leaf(t, dentry);
}

/* Which row an inode goes into; TOUCHED: none. A call on attributes changes one inode, the last that is stamped: on filesystems
 * of a network the folders on the way are only refreshed. */
static __always_inline u32 row_for(struct changing *c, u64 inode)
{
	if (is_attribute(c->operation))
		return 0;
	for (u32 i = 0; i < TOUCHED; i++)
		if (i < c->count && c->touched[i].view.inode == inode)
			return i;
	return c->count < TOUCHED ? c->count : TOUCHED;
}

/* c->stamped */
GLOBAL int note_touched(struct changing *c, struct proc *p, u32 overridden)
{
	u32 magic, row, operation;
	struct touched *t;
	u64 inode, alias;
	bool inner;

	if (!c || !p)
		return 0;
	inode = c->stamped;
	magic = AS(inode, inode)->i_sb->s_magic;
	inner = overridden && magic != MAGIC_OVERLAY;
	operation = c->operation;
	if (magic == MAGIC_PIPE || magic == MAGIC_SOCKET) {
		c->ignored = 1;
		return 0;
	}
	if (inner && operation != OPERATION_LINK && operation != OPERATION_UNLINK && operation != OPERATION_RMDIR)
		return 0;
	alias = first_alias(inode);
	if (is_attribute(operation) && !alias)
		return 0;
	row = row_for(c, inode);
	if (row >= TOUCHED) {
		count(COUNTER_TOUCHED_CUT);
		return 0;
	}
	t = &c->touched[row & (TOUCHED - 1)];
	if (row < c->count && !is_attribute(operation)) {
		t->again |= alias != 0;
		if (t->inner)
			keep_aliases(t, alias, false); /* a whiteout gets its place only after it was made */
		if (!t->fresh || !alias || is_making(operation))
			return 0; /* else it was read from disk, and only now it is changed */
	}
	touch(t, p, inode, inner, operation == OPERATION_RENAME);
	if (row >= c->count)
		c->count = row + 1;
	return 0;
}

static __always_inline void start(struct changing *c, u32 operation, u64 request)
{
	c->operation = operation;
	c->request = request;
	c->count = c->told = c->ignored = c->remove_folder = c->how = 0;
}

static __always_inline u64 request_of(struct task_struct *task)
{
	u64 worker = (u64)task->worker_private, work;

	if (!bpf_core_type_exists(struct io_worker) || !worker)
		return 0;
	work = (u64)AS(io_worker, worker)->cur_work;
	return work ? work - bpf_core_field_offset(struct io_kiocb, work) : 0;
}

/* include/uapi/linux/io_uring.h; all of them always run in a worker. */
static __always_inline u32 operation_of_request(u64 request)
{
	switch (AS(io_kiocb, request)->opcode) {
	case 35:
		return OPERATION_RENAME;
	case 36:
		return OPERATION_UNLINK;
	case 37:
		return OPERATION_MKDIR;
	case 38:
		return OPERATION_SYMLINK;
	case 39:
		return OPERATION_LINK;
	case 41:
	case 42:
		return OPERATION_XATTR;
	case 55:
		return OPERATION_TRUNCATE;
	}
	return 0;
}

static __always_inline u64 text_of(struct filename *name)
{
	return name ? (u64)AS(filename, name)->name : 0;
}

static __always_inline void claim_of_request(struct changing *c, u64 request)
{
	struct io_rename *rename = AS(io_rename, request);

	c->claimed = c->claimed_second = 0;
	if (c->operation == OPERATION_RENAME || c->operation == OPERATION_LINK) { /* laid out alike */
		c->claimed = text_of(rename->oldpath);
		c->claimed_second = text_of(rename->newpath);
	} else if (c->operation == OPERATION_SYMLINK) {
		c->claimed = text_of(rename->newpath);
	} else if (c->operation == OPERATION_MKDIR) {
		c->claimed = text_of(AS(io_mkdir, request)->filename);
	} else if (c->operation == OPERATION_UNLINK) {
		c->claimed = text_of(AS(io_unlink, request)->filename);
	}
}

/* A request whose completion we won't see: one that is silent about its success, or there was no room to wait for it. Told at
 * the first stamp, by its names. */
static __always_inline int claimed_by_worker(u64 request, u32 operation, struct proc *p)
{
	u32 yes = 1;
	struct changing *c =
		bpf_task_storage_get(&changings, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!c || bpf_map_lookup_elem(&told_requests, &request))
		return 0;
	bpf_map_update_elem(&told_requests, &request, &yes, BPF_ANY);
	start(c, operation, request);
	c->how = FILE_URING;
	claim_of_request(c, request);
	return tell_claim(c, p);
}

static __always_inline int stamped_by_worker(struct task_struct *task, u64 inode)
{
	u64 request = request_of(task);
	u32 operation = request ? operation_of_request(request) : 0;
	struct changing *c;
	struct proc *p;

	if (!operation)
		return 0;
	p = proc_of(task);
	if (!p)
		return 0;
	c = bpf_map_lookup_elem(&ring_changings, &request);
	if (!c)
		return claimed_by_worker(request, operation, p);
	c->stamped = inode;
	return note_touched(c, p, is_overridden(task, request));
}

static __always_inline int stamped(u64 inode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct changing *c;
	struct proc *p;
	u32 operation;

	if (task->flags & PF_IO_WORKER) /* its registers are those of the call that made it */
		return stamped_by_worker(task, inode);
	operation = changing_call(task, regs) & 31;
	if (!operation)
		return 0;
	p = current_proc();
	if (!p || p->by.session == SESSION_RUNTIME)
		return 0;
	c = bpf_task_storage_get(&changings, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!c) {
		count(COUNTER_NO_RECORD);
		return 0;
	}
	if (c->operation != operation)
		start(c, operation, 0);
	c->stamped = inode;
	return note_touched(c, p, is_overridden(task, 0));
}

/* Filesystems with multigrain timestamps (ext4, xfs, btrfs, tmpfs) take the other two ways for "now". */
SEC("tp_btf/inode_set_ctime_to_ts")
int BPF_PROG(on_stamp, struct inode *inode)
{
	return stamped((u64)inode);
}

SEC("tp_btf/ctime_ns_xchg")
int BPF_PROG(on_stamp_swapped, struct inode *inode)
{
	return stamped((u64)inode);
}

SEC("tp_btf/ctime_xchg_skip")
int BPF_PROG(on_stamp_kept, struct inode *inode)
{
	return stamped((u64)inode);
}

/* The same inode is still there. */
static __always_inline bool is_alive(struct touched *t)
{
	struct inode *i = AS(inode, t->view.inode);

	return i->i_ino == t->ino && (u64)i->i_sb == t->view.superblock;
}

static __always_inline bool is_named(struct touched *t, u64 dentry)
{
	struct dentry *d = AS(dentry, dentry);

	return (u64)d->d_inode == t->view.inode &&
	       (d->d_hash.pprev || (u64)d->d_parent == dentry); /* roots aren't hashed */
}

static __always_inline void tell(struct changing *c, struct touched *t, struct proc *p)
{
	c->mode = t->mode;
	c->owner = t->owner;
	if (is_alive(t)) {
		c->mode = AS(inode, t->view.inode)->i_mode;
		c->owner = AS(inode, t->view.inode)->i_uid.val;
	}
	tell_change(c, p);
}

/* A name that is another one now. The old one was kept; of a file with several cached names, only the first. */
static __always_inline void find_renamed(struct changing *c, struct touched *t, struct proc *p)
{
	for (int i = 0; i < ALIASES; i++) {
		if (i >= t->aliases)
			return;
		if (!is_named(t, t->alias[i].dentry))
			continue;
		c->target = t->view;
		c->target.dentry = t->alias[i].dentry;
		c->target.names = names_of(&c->target);
		if (c->target.names == t->alias[i].names)
			continue;
		c->file = t->view;
		c->file.names = t->alias[i].names;
		c->file.dentry = t->folder;
		c->file.leaf = (u64)t->leaf;
		tell(c, t, p);
		return;
	}
}

/* A name that is gone. */
static __always_inline void find_removed(struct changing *c, struct touched *t, struct proc *p)
{
	for (int i = 0; i < ALIASES; i++) {
		if (i >= t->aliases)
			return;
		if (is_named(t, t->alias[i].dentry))
			continue;
		c->file = t->view;
		c->file.dentry = t->alias[i].dentry;
		c->file.names = t->alias[i].names;
		c->file.flags &= ~FILE_DELETED; /* it wasn't until now */
		c->operation = (t->mode & MODE_TYPE) == MODE_FOLDER ? OPERATION_RMDIR : OPERATION_UNLINK;
		tell(c, t, p);
		return;
	}
}

/* A name that was not there: new ones come first in the inode's list. */
static __always_inline u64 new_name(struct touched *t)
{
	u64 dentry = first_alias(t->view.inode);

	if (!is_alive(t) || !dentry)
		return 0;
	for (int i = 0; i < ALIASES; i++)
		if (i < t->aliases && t->alias[i].dentry == dentry)
			return 0;
	return is_named(t, dentry) ? dentry : 0;
}

static __always_inline void find_linked(struct changing *c, struct touched *t, struct proc *p)
{
	u64 dentry = new_name(t);

	if (!dentry)
		return;
	c->target = c->file = t->view;
	c->target.dentry = dentry;
	c->target.names = names_of(&c->target);
	tell(c, t, p);
}

static __always_inline bool is_made_by(u32 operation, u32 mode)
{
	mode &= MODE_TYPE;
	if (operation == OPERATION_MKDIR)
		return mode == MODE_FOLDER;
	if (operation == OPERATION_SYMLINK)
		return mode == MODE_LINK;
	return mode != MODE_FOLDER && mode != MODE_LINK;
}

/* A folder whose entries this call changed. */
static __always_inline bool is_touched(struct changing *c, u64 inode)
{
	for (u32 i = 0; i < TOUCHED; i++)
		if (i < c->count && (!c->touched[i].fresh || c->touched[i].again) && c->touched[i].view.inode == inode)
			return true;
	return false;
}

/* An inode that had no name and has one now. One that a look-up only read from disk lies in a folder that nobody changed. */
static __always_inline void find_made(struct changing *c, struct touched *t, struct proc *p)
{
	u64 inode = t->view.inode, dentry = first_alias(inode);

	if (!dentry || !is_made_by(c->operation, AS(inode, inode)->i_mode) ||
	    !is_touched(c, (u64)AS(dentry, dentry)->d_parent->d_inode))
		return;
	t->ino = AS(inode, inode)->i_ino;
	view_for(&c->file, inode, dentry, p);
	tell(c, t, p);
}

/* A file of overlayfs's upper layer, as the container sees it. False: it is not below the upper layer of its root. */
static __always_inline bool view_inner(struct view *v, struct touched *t, u64 dentry, struct proc *p)
{
	u64 id = p->by.container, upper;
	struct container *box = bpf_map_lookup_elem(&containers, &id);
	struct super_block *sb;
	struct dentry *top;

	if (!box || !box->root)
		return false;
	sb = AS(super_block, box->root);
	if (sb->s_magic != MAGIC_OVERLAY || !bpf_core_type_exists(struct ovl_layer))
		return false;
	upper = WORD((u64)AS(ovl_fs, sb->s_fs_info)->layers + bpf_core_field_offset(struct ovl_layer, mnt));
	top = upper ? AS(vfsmount, upper)->mnt_root : NULL;
	if (!top || (u64)top->d_sb != t->view.superblock)
		return false;
	*v = (struct view){ .inode = t->view.inode, .dentry = dentry, .superblock = box->root, .top = (u64)top };
	v->magic = MAGIC_OVERLAY;
	v->dev = sb->s_dev;
	v->real_dev = top->d_sb->s_dev;
	v->ino = t->ino;
	v->generation = AS(inode, t->view.inode)->i_generation;
	v->layer = LAYER_WRITABLE;
	v->names = hash_names(v);
	return !(v->flags & (FILE_CUT | FILE_DISCONNECTED));
}

/* Link: overlayfs stamps only the folder, and the file in its upper layer. */
static __always_inline void find_linked_inside(struct changing *c, struct touched *t, struct proc *p)
{
	u64 dentry = new_name(t);

	if (dentry && t->aliases && view_inner(&c->target, t, dentry, p) &&
	    view_inner(&c->file, t, t->alias[0].dentry, p))
		tell(c, t, p);
	c->target.layer = 0;
}

/* A file of the image is removed by a whiteout in the upper layer: a character device 0:0 of its name. */
static __always_inline void find_whiteout(struct changing *c, struct touched *t, struct proc *p)
{
	struct inode *i = AS(inode, t->view.inode);

	if ((i->i_mode & MODE_TYPE) != MODE_CHARACTER || i->i_rdev || !t->aliases ||
	    !view_inner(&c->file, t, t->alias[0].dentry, p))
		return;
	c->file.layer = LAYER_IMAGE;
	c->file.ino = c->file.real_dev = c->file.generation = 0; /* the image's inode was not touched */
	c->operation = c->remove_folder ? OPERATION_RMDIR : OPERATION_UNLINK;
	c->mode = c->owner = 0;
	tell_change(c, p);
}

struct conclusion {
	struct changing *c;
	struct proc *p;
};
/* Twice through the table: what the container sees, then overlayfs's own layer. */
static long conclude_step(u32 i, struct conclusion *x)
{
	struct changing *c = x->c;
	struct touched *t = &c->touched[i & (TOUCHED - 1)];
	u32 operation = c->operation;
	bool inner = i >= TOUCHED;

	if ((i & (TOUCHED - 1)) >= c->count || t->inner != inner)
		return 0;
	c->target.layer = 0;
	if (inner && operation == OPERATION_LINK && !c->told)
		find_linked_inside(c, t, x->p);
	else if (inner && operation != OPERATION_LINK && !c->told)
		find_whiteout(c, t, x->p);
	else if (inner)
		return 0;
	else if (t->fresh && is_making(operation))
		find_made(c, t, x->p);
	else if (t->fresh)
		return 0;
	else if (operation == OPERATION_RENAME)
		find_renamed(c, t, x->p);
	else if (operation == OPERATION_UNLINK || operation == OPERATION_RMDIR)
		find_removed(c, t, x->p);
	else if (operation == OPERATION_LINK)
		find_linked(c, t, x->p);
	else if (is_attribute(operation)) {
		c->file = t->view;
		tell(c, t, x->p);
	}
	return 0;
}

/* The call worked: what did it change? */
static __always_inline void conclude(struct changing *c, struct proc *p)
{
	struct conclusion x = { .c = c, .p = p };

	bpf_loop(2 * TOUCHED, conclude_step, &x, 0);
}

/* A call that changed files by name or descriptor. What no stamp shows is told as the program said it. */
static __always_inline void changed_files(struct changing *c, struct proc *p, struct pt_regs *regs, u32 place,
					  bool compat)
{
	u32 operation = c->operation;

	c->remove_folder = operation == OPERATION_RMDIR;
	if (operation == OPERATION_UNLINK && place == PLACE_SECOND)
		c->remove_folder = ((compat ? compat_argument(regs, 2) : argument(regs, 2)) & AT_REMOVEDIR) != 0;
	conclude(c, p);
	if (c->told || c->ignored)
		return;
	if (c->remove_folder)
		c->operation = OPERATION_RMDIR;
	read_claim(c, regs, place, operation == OPERATION_RENAME || operation == OPERATION_LINK, compat);
	tell_claim(c, p);
}

static __always_inline int changed(struct pt_regs *regs, long ret, bool compat)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 call = changing_call(task, regs), operation = call & 31;
	struct proc *p = current_proc();
	struct changing *c;

	if (!p || p->by.session == SESSION_RUNTIME)
		return 0;
	c = bpf_task_storage_get(&changings, task, 0, ret < 0 ? 0 : BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!c)
		return 0;
	if (ret >= 0) {
		if (c->operation != operation)
			start(c, operation, 0);
		c->how = compat ? FILE_COMPAT : 0;
		if (operation == OPERATION_MOUNT || operation == OPERATION_UNMOUNT)
			mounted(c, p, regs, call >> 5, ret, compat);
		else
			changed_files(c, p, regs, call >> 5, compat);
	}
	c->operation = 0; /* the next call starts afresh */
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(call_change, struct pt_regs *regs, long ret)
{
	return changed(regs, ret, false);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(compat_change, struct pt_regs *regs, long ret)
{
	return changed(regs, (s32)ret, true);
}

/* From now on the request's completion is awaited. Memory of a request is used again and again. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_io_uring_submitted, struct io_kiocb *req)
{
	struct changing *c;
	u64 request = (u64)req;
	u32 operation = operation_of_request(request), zero = 0;

	if (!operation || !current_proc())
		return 0;
	bpf_map_delete_elem(&told_requests, &request);
	bpf_map_delete_elem(&ring_changings, &request);
	c = bpf_map_lookup_elem(&blank_changing, &zero);
	if (!c || AS(io_kiocb, request)->flags & REQUEST_SILENT ||
	    bpf_map_update_elem(&ring_changings, &request, c, BPF_ANY))
		return 0;
	c = bpf_map_lookup_elem(&ring_changings, &request);
	if (!c)
		return 0;
	start(c, operation, request);
	c->how = FILE_URING;
	c->ring = (u64)AS(io_kiocb, request)->ctx;
	c->user_data = AS(io_kiocb, request)->cqe.user_data;
	return 0;
}

/* Posted by the worker or, for some rings, by the process's own thread. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_io_uring_change, struct io_ring_ctx *ring, void *req, struct io_uring_cqe *cqe)
{
	u64 request = (u64)req;
	struct changing *c;
	struct proc *p;

	if (!request || !operation_of_request(request))
		return 0;
	p = current_proc();
	c = bpf_map_lookup_elem(&ring_changings, &request);
	if (!c)
		return 0;
	if (p && AS(io_uring_cqe, cqe)->res >= 0) {
		c->remove_folder = c->operation == OPERATION_UNLINK && AS(io_unlink, request)->flags & AT_REMOVEDIR;
		conclude(c, p);
	}
	bpf_map_delete_elem(&ring_changings, &request);
	return 0;
}

struct overflow {
	u64 ring;
	u64 user_data;
	u64 request;
};
static long overflow_step(void *map, u64 *key, struct changing *c, struct overflow *o)
{
	if (!c->count || c->ring != o->ring || c->user_data != o->user_data)
		return 0;
	o->request = *key;
	return 1;
}

/* A ring that is full of completions: the request itself isn't named any more, only its user data. */
SEC("tp_btf/io_uring_cqe_overflow")
int BPF_PROG(on_io_uring_overflow, void *ring, u64 user_data, s32 result)
{
	struct overflow o = { .ring = (u64)ring, .user_data = user_data };
	struct proc *p = current_proc();
	struct changing *c;

	if (!p)
		return 0;
	bpf_for_each_map_elem(&ring_changings, overflow_step, &o, 0);
	c = bpf_map_lookup_elem(&ring_changings, &o.request);
	if (!c)
		return 0;
	if (result >= 0)
		conclude(c, p);
	bpf_map_delete_elem(&ring_changings, &o.request);
	return 0;
}
