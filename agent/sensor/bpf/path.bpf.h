/* What a file is (docs/decisions/0004): its real inode, its layer, and a hash of all its names up to its superblock's root.
 *
 * No step depends on a root or mount namespace that the process could have moved: names are read inside the superblock, and
 * which superblocks belong to the container was noted at the handover (mounts.bpf.h). The text is read on a first sight only;
 * while it is read the hash is made again: when they differ, somebody renamed in between (FILE_UNSTABLE).
 */
#ifndef VEDETTE_PATH_BPF_H
#define VEDETTE_PATH_BPF_H

#include "base.bpf.h"
#include "event.bpf.h"

#define MAGIC_OVERLAY 0x794c7630
#define MAGIC_PROC 0x9fa0
#define MAGIC_TMPFS 0x01021994
#define MAGIC_PIPE 0x50495045
#define MAGIC_SOCKET 0x534f434b
#define NAMES_MAX 64 /* components of a path; more: FILE_CUT */
/* So many, if they are short, are hashed without a call for each, which costs more than the hash. */
#define NAMES_NEAR 6
#define NAME_SHORT 24

enum superblock_kind { SUPERBLOCK_UNKNOWN = 0, SUPERBLOCK_MOUNT = 1, SUPERBLOCK_ROOT = 2 };

/* A container's first mount table. The pointer, not s_dev: anonymous device numbers are handed out again after umount. Written
 * at the handover, before the container's first instruction. Full: its files are NEW_MOUNT, which no rule allows. */
struct superblock_key {
	u64 container;
	u64 superblock;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct superblock_key);
	__type(value, u32);
} superblocks SEC(".maps");

/* A file under examination. */
struct view {
	u64 inode; /* as opened */
	u64 dentry;
	u64 superblock;
	u64 real; /* the real inode */
	u64 ino;
	u64 names;
	u64 top;  /* names end below this dentry; 0: below the superblock's root */
	u64 leaf; /* the last name where it was renamed since, `dentry` is its folder then; 0: the dentry has it */
	u32 leaf_length;
	u32 dev;
	u32 real_dev;
	u32 generation;
	u32 magic;
	u32 flags;
	u32 layer;
	u32 pad;
};

static __always_inline u64 top_of(struct view *v)
{
	return v->top ? v->top : (u64)AS(super_block, v->superblock)->s_root;
}

/* The folder that a file is in; of a root: itself. */
static __always_inline u64 folder_of(struct view *v)
{
	return v->leaf ? v->dentry : (u64)AS(dentry, v->dentry)->d_parent;
}

static __always_inline bool has_upper(struct inode *inode)
{
	struct dentry *up = OUTER(ovl_inode, vfs_inode, inode)->__upperdentry;

	return up && up->d_inode;
}

/* overlayfs keeps the upper's and lowers' dentries in its own inode. */
static __always_inline struct inode *real_inode(struct inode *inode, bool *upper)
{
	struct ovl_inode *oi = OUTER(ovl_inode, vfs_inode, inode);
	struct dentry *up = oi->__upperdentry, *low;
	struct ovl_entry *lowers;

	if (up && up->d_inode) {
		*upper = true;
		return up->d_inode;
	}
	lowers = oi->oe;
	if (!lowers)
		return NULL;
	low = AS(ovl_path, (u64)lowers + bpf_core_field_offset(struct ovl_entry, __lowerstack))->dentry;
	return low ? low->d_inode : NULL;
}

struct word_fold {
	u64 at;
	u64 hash;
};
static long fold_word(u32 i, struct word_fold *f)
{
	f->hash = mix(f->hash, WORD(f->at + 8 * i));
	return 0;
}

/* The name's exact bytes, word by word. d_name.hash is salted with the parent's address and no use. The last word has seven bytes
 * at most, and the name's length in its eighth: it tells how many words belong to it, so that no two paths are the same words. */
static __always_inline u64 last_word(u64 at, u32 length)
{
	u64 bytes = (1ull << ((length & 7) * 8)) - 1;

	return (WORD(at + (length & ~7u)) & bytes) | (u64)length << 56;
}

static __always_inline u64 fold_short_name(u64 hash, u64 name, u32 length)
{
	if (length >= 8)
		hash = mix(hash, WORD(name));
	if (length >= 16)
		hash = mix(hash, WORD(name + 8));
	return mix(hash, last_word(name, length));
}

static __always_inline u64 fold_name(u64 hash, u64 name, u32 length)
{
	u32 words = length >> 3;
	struct word_fold f = { .at = name, .hash = hash };

	if (length < NAME_SHORT)
		return fold_short_name(hash, name, length);
	bpf_loop(words < 32 ? words : 32, fold_word, &f, 0);
	return mix(f.hash, last_word(name, length));
}

/* The same for a text of any length. */
static __always_inline u64 hash_text(u64 at, u64 length)
{
	struct word_fold f = { .at = at, .hash = mix(seed, length) };
	u64 last = (1ull << ((length & 7) * 8)) - 1;

	bpf_loop(length >> 3, fold_word, &f, 0);
	return mix(f.hash, WORD(at + (length & ~7ull)) & last);
}

/* Where a dentry's name is, as a plain number: a global function takes no pointer that the verifier can't size. */
static __always_inline u64 name_of(u64 dentry)
{
	return WORD(dentry + bpf_core_field_offset(struct dentry, d_name.name));
}

struct name_walk {
	u64 dentry;
	u64 root; /* of the superblock */
	u64 hash;
	u32 done;
	u32 proc;
};
/* On procfs, /proc/<number> counts as one name: a pid is no behaviour, and self or other is in the layer. */
static __always_inline bool is_pid_name(u64 name)
{
	u8 first = WORD(name);

	return first >= '0' && first <= '9';
}
/* False: there is no more, or `near` and this name is too long for a hash without a loop. */
static __always_inline bool walk_name(struct name_walk *w, bool near)
{
	struct dentry *d = AS(dentry, w->dentry);
	u64 parent = (u64)d->d_parent, name;
	u32 length = d->d_name.len;

	w->done = parent == w->dentry || w->dentry == w->root;
	if (w->done || (near && length >= NAME_SHORT))
		return false;
	name = name_of(w->dentry);
	if (w->proc && parent == w->root && is_pid_name(name))
		w->hash = mix(w->hash, 1);
	else
		w->hash = near ? fold_short_name(w->hash, name, length) : fold_name(w->hash, name, length);
	w->dentry = parent;
	return true;
}
static long name_step(u32 i, struct name_walk *w)
{
	return !walk_name(w, false);
}

static __always_inline void start_at(struct name_walk *w, struct view *v)
{
	w->dentry = v->dentry;
	w->root = top_of(v);
	w->hash = seed;
	w->proc = v->magic == MAGIC_PROC;
}

static __always_inline u64 end_at(struct name_walk *w, struct view *v)
{
	if (!w->done)
		v->flags |= FILE_CUT;
	else if (w->dentry != w->root && v->layer != LAYER_MEMFD)
		v->flags |= FILE_DISCONNECTED;
	return w->hash;
}

GLOBAL u64 hash_names(struct view *v)
{
	struct name_walk w = {};

	if (!v)
		return 0;
	start_at(&w, v);
	bpf_loop(NAMES_MAX, name_step, &w, 0);
	return end_at(&w, v);
}

/* The same for where files are opened all the time. */
static __always_inline u64 hash_near_names(struct view *v)
{
	struct name_walk w = {};

	start_at(&w, v);
	for (u32 i = 0; i <= NAMES_NEAR && walk_name(&w, true); i++)
		;
	return w.done ? end_at(&w, v) : hash_names(v);
}

static __always_inline bool is_memfd(u64 dentry)
{
	return (WORD(AS(dentry, dentry)->d_name.name) & 0xffffffffffffull) == 0x3a64666d656dull; /* "memfd:" */
}

static __always_inline u32 proc_layer(u64 inode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 pid = (u64)OUTER(proc_inode, vfs_inode, inode)->pid;

	if (!pid)
		return LAYER_PROC;
	return pid == (u64)task->signal->pids[PIDTYPE_TGID] || pid == (u64)task->thread_pid ? LAYER_PROC_SELF
											    : LAYER_PROC_OTHER;
}

/* "From the image" is only the overlay that was the container's root at the handover: a workload can mount its own. */
static __always_inline u32 layer_of(struct view *v, u32 kind, bool upper)
{
	if (kind == SUPERBLOCK_ROOT)
		return v->magic != MAGIC_OVERLAY ? LAYER_ROOT : upper ? LAYER_WRITABLE : LAYER_IMAGE;
	if (kind == SUPERBLOCK_UNKNOWN) {
		if (v->magic == MAGIC_TMPFS && is_memfd(v->dentry))
			return LAYER_MEMFD;
		return LAYER_NEW_MOUNT;
	}
	if (v->magic == MAGIC_PROC)
		return proc_layer(v->inode);
	return v->magic == MAGIC_TMPFS ? LAYER_TMPFS : LAYER_VOLUME;
}

/* `kind` is what the container's mount table says of the superblock. `exact` asks for the real inode in every case. Without it a
 * file of the image is known by overlay's own inode: nobody can change a lower file without making it an upper one, and the way
 * to the real inode is four cold cache lines. */
static __always_inline void examine(struct view *v, u32 kind, bool exact)
{
	struct inode *inode = AS(inode, v->inode), *real = inode;
	struct super_block *sb = AS(super_block, v->superblock);
	struct dentry *d = AS(dentry, v->dentry);
	bool upper = false;

	v->flags = 0;
	v->dev = v->real_dev = sb->s_dev;
	v->magic = sb->s_magic;
	if (v->magic == MAGIC_OVERLAY && (exact || kind != SUPERBLOCK_ROOT || has_upper(inode))) {
		struct inode *r = real_inode(inode, &upper);

		if (r) {
			real = r;
			v->real_dev = real->i_sb->s_dev;
		}
	}
	v->real = (u64)real;
	v->ino = v->magic == MAGIC_PROC ? 0 : real->i_ino;
	v->generation = real->i_generation;
	v->layer = layer_of(v, kind, upper);
	if ((!real->i_nlink || !d->d_hash.pprev) && v->dentry != (u64)sb->s_root && (u64)d->d_parent != v->dentry)
		v->flags |= FILE_DELETED;
	if (v->layer == LAYER_MEMFD)
		v->flags |= FILE_DELETED;
	v->names = hash_near_names(v);
}

static __always_inline u32 superblock_kind(u64 container, u64 superblock)
{
	struct superblock_key key = { .container = container, .superblock = superblock };
	u32 *kind = bpf_map_lookup_elem(&superblocks, &key);

	return kind ? *kind : SUPERBLOCK_UNKNOWN;
}

/* v->inode, v->dentry */
GLOBAL int view_exactly(struct view *v, u64 container)
{
	if (!v)
		return 0;
	v->superblock = (u64)AS(inode, v->inode)->i_sb;
	v->top = v->leaf = 0;
	examine(v, superblock_kind(container, v->superblock), true);
	return 0;
}

static __always_inline void view_dentry(struct view *v, u64 inode, u64 dentry, u64 container)
{
	v->inode = inode;
	v->dentry = dentry;
	view_exactly(v, container);
}

/* A mapping of an overlay file holds overlay's inner file; the user's file is behind it in struct backing_file. The mode bit that
 * marks those moves between kernels, so the claim is verified: it must be an overlay dentry over this very inode. */
static __always_inline void view_mapped_file(struct view *v, u64 file, u64 container)
{
	struct file *f = AS(file, file);
	u64 dentry = (u64)f->f_path.dentry, inode = (u64)f->f_inode;
	bool upper;

	if (f->f_mode & (7 << 23)) {
		struct dentry *user = OUTER(backing_file, file, file)->user_path.dentry;
		struct inode *over = user ? user->d_inode : NULL;

		if (over && over->i_sb->s_magic == MAGIC_OVERLAY && (u64)real_inode(over, &upper) == inode) {
			dentry = (u64)user;
			inode = (u64)over;
		}
	}
	view_dentry(v, inode, dentry, container);
}

#define NANOSECONDS 0x7fffffff /* the bit above says that somebody looked (I_CTIME_QUERIED, 6.13) */

static __always_inline u64 change_time(struct view *v)
{
	struct inode *real = AS(inode, v->real);

	return real->i_ctime_sec * 1000000000ull + (real->i_ctime_nsec & NANOSECONDS);
}

static __always_inline void fill_file(struct file_id *f, struct view *v)
{
	f->ino = v->ino;
	f->names = v->names;
	f->superblock = v->superblock;
	f->dev = v->dev;
	f->real_dev = v->real_dev;
	f->generation = v->generation;
	f->flags = v->flags;
	f->layer = v->layer;
}

/* fold_name where it may cost a call: each path through it would else be verified again. */
GLOBAL u64 fold(u64 hash, u64 name, u32 length)
{
	return fold_name(hash, name, length);
}

#define NO_ROOM (~0ull)

/* Puts "/name" in front of the text that begins at `at` and ends at TEXT_MAX. Returns where it begins now, or NO_ROOM. */
GLOBAL u64 put_name(struct scratch *s, u64 at, u64 name, u32 length)
{
	u64 n = length & 255;

	if (!s || at < n + 1)
		return NO_ROOM;
	at = (at - n - 1) & (TEXT_MAX - 1);
	HIDE(at);
	at &= TEXT_MAX - 1;
	HIDE(n);
	n &= 255;
	s->text[at] = '/';
	bpf_probe_read_kernel(&s->text[at + 1], n, (void *)name);
	return at;
}

/* Append the text that begins at `at`, or its last `most` bytes. Without a name it is the root. */
static __always_inline void append_names(struct scratch *s, u64 at, u64 most)
{
	if (at >= TEXT_MAX) {
		at = TEXT_MAX - 1;
		s->text[TEXT_MAX - 1] = '/';
	}
	if (TEXT_MAX - at > most)
		at = TEXT_MAX - most;
	append(s, &s->text[at & (TEXT_MAX - 1)], TEXT_MAX - at);
}

struct text_walk {
	struct scratch *scratch;
	u64 dentry;
	u64 root;
	u64 at; /* the text begins here; it ends at TEXT_MAX */
	u64 hash;
	u32 flags;
	u16 done;
	u8 proc;
	u8 alone; /* its own parent, but not the root: memfd, disconnected */
};
static long text_step(u32 i, struct text_walk *w)
{
	struct dentry *d = AS(dentry, w->dentry);
	u64 parent = (u64)d->d_parent, name = name_of(w->dentry), at;

	if (w->dentry == w->root || (parent == w->dentry && w->alone)) {
		w->done = 1;
		return 1;
	}
	if (parent == w->dentry)
		w->alone = 1;
	at = put_name(w->scratch, w->at, name, d->d_name.len);
	if (at == NO_ROOM) {
		w->flags |= FILE_CUT;
		w->done = 1;
		return 1;
	}
	if (w->proc && parent == w->root && is_pid_name(name))
		w->hash = mix(w->hash, 1);
	else if (!w->alone)
		w->hash = fold(w->hash, name, d->d_name.len);
	w->at = at;
	w->dentry = parent;
	return 0;
}

/* Append the path inside the superblock, or its last `most` bytes. Sets FILE_UNSTABLE and FILE_CUT in the view. */
GLOBAL int append_path_end(struct scratch *s, struct view *v, u64 most)
{
	struct text_walk w = { .scratch = s, .at = TEXT_MAX, .hash = seed };

	if (!s || !v)
		return 0;
	w.dentry = v->dentry;
	w.root = top_of(v);
	w.proc = v->magic == MAGIC_PROC;
	if (v->leaf) { /* the last name, from where it was kept */
		w.at = put_name(s, TEXT_MAX, v->leaf, v->leaf_length);
		w.hash = fold(seed, v->leaf, v->leaf_length & 255);
	}
	bpf_loop(NAMES_MAX, text_step, &w, 0);
	v->flags |= w.flags;
	if (!w.done)
		v->flags |= FILE_CUT;
	if (w.hash != v->names)
		v->flags |= FILE_UNSTABLE;
	append_names(s, w.at, most);
	return 0;
}

static __always_inline void append_path(struct scratch *s, struct view *v)
{
	append_path_end(s, v, TEXT_MAX);
}

#endif
