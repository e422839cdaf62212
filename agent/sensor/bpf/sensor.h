/* The border: every struct that crosses between the kernel and Python. The one source of layout (see sensor/layout.py).
 *
 * Times are nanoseconds of the boot clock. All integers are in the machine's byte order; padding is explicit and zero.
 * A record on a ring is a fixed struct that begins with `struct event`, then up to eight texts without a separator,
 * whose lengths are in event.texts.
 */
#ifndef VEDETTE_SENSOR_H
#define VEDETTE_SENSOR_H

enum kind {
	KIND_EXEC = 1,
	KIND_EXIT = 2,
	KIND_OPEN = 3,
	KIND_LOAD = 4,
	KIND_CHANGE = 5,
	KIND_NET = 6,
	KIND_SOCKET = 7,
	KIND_UNIX = 8,
	KIND_DNS = 9,
	KIND_CGROUP = 10,
	KIND_HANDOVER = 11,
	KIND_MOUNT = 12,
	KIND_LEFT = 13,
	KIND_PRIVILEGE = 14,
	KIND_WHO = 15,		/* budget of distinct `struct who` */
	KIND_MANY = 16,		/* first sight of a directory below which files are only counted */
	KIND_TRIPWIRE = 17,	/* budget of records past every other budget */
	KINDS = 18,
};

enum session {
	SESSION_RUNTIME = 1,	/* the runtime's steps before the handover */
	SESSION_MAIN = 2,
	SESSION_EXEC = 3,
	SESSION_STANDING = 4,	/* was running before the agent */
};

enum layer {
	LAYER_IMAGE = 1,
	LAYER_WRITABLE = 2,
	LAYER_VOLUME = 3,
	LAYER_TMPFS = 4,
	LAYER_NEW_MOUNT = 5,
	LAYER_MEMFD = 6,
	LAYER_PROC = 7,
	LAYER_PROC_SELF = 8,
	LAYER_PROC_OTHER = 9,
	LAYER_ROOT = 10,
	LAYER_HOST = 11,
};

enum file_flag {
	FILE_DELETED = 1,
	FILE_DISCONNECTED = 2,
	FILE_CUT = 4,
	FILE_UNSTABLE = 8,
	FILE_COMPAT = 16,
	FILE_URING = 32,
	FILE_SUSPECT_FD = 64,
	FILE_CLAIMED = 256,
};

enum access_bit {
	ACCESS_READ = 1,
	ACCESS_WRITE = 2,
	ACCESS_CREATE = 4,
	ACCESS_TRUNCATE = 8,
	ACCESS_APPEND = 16,
};

enum operation {
	OPERATION_RENAME = 1,
	OPERATION_LINK = 2,
	OPERATION_SYMLINK = 3,
	OPERATION_UNLINK = 4,
	OPERATION_RMDIR = 5,
	OPERATION_MKDIR = 6,
	OPERATION_TRUNCATE = 7,
	OPERATION_CHMOD = 8,
	OPERATION_CHOWN = 9,
	OPERATION_MKNOD = 10,
	OPERATION_MOUNT = 11,
	OPERATION_UNMOUNT = 12,
	OPERATION_XATTR = 13,
};

enum direction {
	DIRECTION_EGRESS = 1,
	DIRECTION_INGRESS = 2,
	DIRECTION_LISTEN = 3,
	DIRECTION_BIND = 4,
};

/* What became of a TCP connect, or of an AF_UNIX one. An attempt that succeeds is one flow; one that fails, another. */
enum outcome {
	OUTCOME_NONE = 0,	/* attempted: not known, or it worked */
	OUTCOME_REFUSED = 1,	/* nobody listens there */
	OUTCOME_FAILED = 2,	/* timed out, unreachable, not permitted, given up */
};

enum flow_state {
	FLOW_UNSENT = 0,	/* in the map only: the ring was full or the budget spent */
	FLOW_PENDING = 1,	/* on a ring; Python has not answered yet */
	FLOW_KNOWN = 2,		/* Python's log took it: hits are only counted */
	FLOW_WATCHED = 3,	/* the same, of a violation: each sweep tells what was added */
};

/* flow_key.what: kind << 24 | layer << 16 | details. Details are what a verdict or a reader of the flow depends on:
 * OPEN, LOAD: access bits | file flags << 5            CHANGE: operation | file flags << 5
 * UNIX: outcome in place of the access bits            SOCKET: family << 4 | type, and the protocol in flow_key.dev
 * NET: outcome << 12 | direction << 8 | protocol */
#define WHAT(kind, layer, details) ((u32)(kind) << 24 | (u32)(layer) << 16 | ((u32)(details) & 0xffff))

/* What a verdict may read: equal keys give equal verdicts. */
struct flow_key {
	u64 who;		/* hash of container, exe, session, euid, tty, generation: see struct who */
	union {
		struct {
			u64 ino;	/* real inode; 0 on procfs */
			u64 names;	/* hash of all names up to the superblock's root; LOAD: and ctime */
		};
		u8 address[16];		/* IPv6, or IPv4 mapped into it */
	};
	union {
		u32 dev;		/* as seen by the container */
		struct {
			u16 port;	/* host byte order */
			u16 local_port;	/* LISTEN only; else 0, so that it makes no news */
		};
	};
	u32 real_dev;
	u32 generation;
	u32 what;
};

struct flow {
	u64 count;		/* bit 63: retired, count elsewhere */
	u64 first_ns;
	u64 last_ns;		/* see about_now */
	u64 actor;		/* pid << 32 | low 32 bits of the start time in microseconds: one store, never torn */
	u64 reported;		/* count at the last sweep; written by the sweep program alone */
	u64 emitted_ns;
	u32 state;
	u32 pad;
};
#define FLOW_RETIRED (1ULL << 63)

/* key: who. Written at the first sight of that combination; Python reads it for flows that it only knows from the sweep. */
struct who {
	u64 container;
	u64 exe;
	u64 exe_ino;
	u32 exe_dev;
	u32 euid;
	u32 generation;
	u8 session;
	u8 tty;
	u16 round;		/* of the last whole sweep that met a flow of it */
};

struct actor {
	u64 container;
	u64 exe;
	u64 started_ns;
	u64 creator_started_ns;
	u64 ancestor_started_ns;
	u32 pid;
	u32 creator_pid;
	u32 ancestor_pid;
	u32 euid;
	u8 session;
	u8 tty;
	u8 pad[6];
	char comm[16];
};

struct event {
	u64 time_ns;
	u32 kind;
	u32 pad;
	u16 texts[8];		/* lengths in bytes of the texts behind the fixed struct */
	struct actor by;
};

struct file_id {
	u64 ino;		/* real inode number */
	u64 names;
	u64 ctime_ns;		/* programs and code only */
	u64 superblock;		/* kernel pointer of the superblock as seen */
	u32 dev;
	u32 real_dev;
	u32 generation;
	u16 flags;		/* enum file_flag */
	u8 layer;
	u8 pad;
};

struct exec_event {		/* texts: path, script, cwd, argv (NUL between), tty */
	struct event event;
	struct file_id file;	/* for a script: the interpreter */
	struct file_id script;	/* layer 0: no script */
	u64 capabilities;
	u64 permitted;
	u64 code_environment;	/* bit n: the n-th name of the map code_variables is set */
	u32 uid;
	u32 gid;
	u32 login_uid;
	u32 argv_bytes;		/* true length; the text has at most 4096 */
	u8 seccomp;
	u8 no_new_privs;
	u8 setuid;		/* the program's file raised privileges */
	u8 standing;
	u32 pad;
};

struct exit_event {		/* no texts */
	struct event event;
	u32 code;		/* as wait(2) has it: status << 8 | signal */
	u32 pad;
};

struct file_event {		/* OPEN, LOAD, MANY. texts: path */
	struct event event;
	struct flow_key key;
	struct file_id file;
	u32 access;
	u32 standing;
};

struct change_event {		/* texts: path before, path after (empty where there is only one) */
	struct event event;
	struct flow_key key;
	struct file_id file;
	struct file_id target;	/* layer 0: none */
	u32 operation;
	u32 mode;
	u32 owner;
	u32 pad;
};

struct net_event {		/* no texts */
	struct event event;
	struct flow_key key;
	u8 address[16];
	u16 port;
	u16 local_port;
	u8 direction;
	u8 protocol;
	u8 standing;
	u8 pad;
	s32 result;		/* errno, 0, or -1: the hook doesn't know */
	u32 pad2;
};

struct socket_event {		/* no texts */
	struct event event;
	struct flow_key key;
	u32 family;
	u32 type;
	u32 protocol;
	u32 pad;
};

struct unix_event {		/* texts: path of the socket's file, or the abstract name without its NUL */
	struct event event;
	struct flow_key key;
	struct file_id file;	/* layer 0: abstract */
	s32 result;
	u32 pad;
};

struct dns_event {		/* texts: the message, at most 1232 bytes */
	struct event event;	/* by: container only */
	u8 server[16];
	u32 length;		/* true length */
	u8 tcp;
	u8 pad[3];
};

struct cgroup_event {		/* texts: path below the hierarchy's root */
	struct event event;
	u64 id;
	u64 parent;
	u32 level;
	u32 alive;
};

struct handover_event {		/* no texts */
	struct event event;
	u64 mount_namespace;
	u32 mounts;		/* how many rows were noted */
	u32 pad;
};

struct mount_event {		/* texts: root inside the filesystem, mount point */
	struct event event;
	u64 superblock;
	u32 dev;
	u32 magic;
	u32 is_root;
	u32 read_only;
};

struct left_event {
	struct event event;
	u64 cgroup;
};

struct privilege_event {
	struct event event;
	u64 before;
	u64 after;
	u32 before_euid;
	u32 pad;
};

/* What a sweep reports of one flow whose count changed, or that was never sent. On the ring `reports`. */
struct report {
	struct flow_key key;
	struct who who;
	u64 count;
	u64 added;
	u64 first_ns;
	u64 last_ns;
	u64 actor;
	u32 state;
	u32 retired;		/* idle and forgotten: this is its last report */
	char tail[64];		/* end of the path of a flow that was never sent; NUL padded */
};

/* key: container, kind. Python writes quota, rate and burst; the kernel the rest. */
struct budget_key {
	u64 container;
	u32 kind;
	u32 pad;
};

struct budget {
	u64 quota;		/* flows that may be in the map */
	u64 rate;		/* tokens a second: records that may be sent */
	u64 burst;
	u64 tokens;
	u64 refill_ns;
	u64 flows;		/* in the map now */
	u64 over;		/* events counted nowhere else: the quota was spent */
	u64 unsent;		/* events not sent for want of a token or of room on the ring; they are in the flow map */
	u64 lost;		/* records that no map holds either (exec, exit, dns): the ring was full */
	u64 sent;
};

/* Below this directory (or network prefix) events are only counted: Python judged the whole of it, or the quota is spent.
 * By names, as verdicts are: a folder that moves away has another hash. */
struct prefix_key {
	u64 container;
	u64 names;		/* name hash of the directory; NET: the network's 8 distinctive bytes (IPv4: the last 8, masked to /24; IPv6: the first 8) */
	u32 dev;		/* as seen by the container; NET: port << 16 | protocol */
	u32 what;		/* WHAT(kind, layer, class); class: OPEN access & 3, CREATE and TRUNCATE as WRITE, CHANGE operation, NET direction */
};

enum prefix_scope {
	PREFIX_OVER = 0,	/* made by the kernel because the quota was spent: direct children */
	PREFIX_TREE = 1,	/* Python judged all that lies below, at any depth */
	PREFIX_CHILDREN = 2,	/* Python judged the direct children */
};

struct prefix {
	u64 count;
	u64 reported;		/* written by the sweep */
	u64 last_ns;
	u64 actor;
	u32 judged;		/* enum prefix_scope */
	u32 pad;
};

/* A denied file, or a folder below which all is denied; by its name hash. container 0: every container.
 * dev 0: one name alone, whatever is denied there and wherever it lies: of a file or of a folder above it. */
struct tripwire_key {
	u64 container;
	u64 names;
	u32 dev;
	u32 pad;
};

enum wired {
	WIRED_WORDS = 16,	/* of 64 bits: see wired_names */
};

/* A denied network. The first 64 bits of the prefix are the container. */
struct tripwire_network {
	u32 bits;		/* 64 + length of the network's prefix */
	u32 container_low;
	u32 container_high;
	u8 address[16];
};

enum container_state {
	CONTAINER_UNDECIDED = 0,	/* a new cgroup that Python has not yet answered for: taken for a container */
	CONTAINER_YES = 1,
	CONTAINER_HOST = 2,		/* the host's own, or only a parent of containers */
};

/* key: cgroup id. The kernel makes it when a cgroup is made; Python decides `state`. */
struct container {
	u64 main_pid;		/* 0: not handed over yet */
	u64 main_started_ns;
	u64 mount_namespace;	/* id of the first one */
	u64 root;		/* superblock of the root filesystem */
	u32 state;
	u32 mounts;
};

/* Answers to flows: Python writes them into the array `answers`, then runs the program `answer`. */
struct answer {
	struct flow_key key;
	u32 state;
	u32 pad;
};

/* Counters without a container, one per CPU (map `counters`): what failed in the sensor itself. */
enum counter {
	COUNTER_URGENT_LOST = 1,	/* the urgent ring was full */
	COUNTER_NOVELTY_LOST = 2,	/* the novelty ring was full: the flow map keeps it */
	COUNTER_MAP_FULL = 3,		/* a flow had no room though its container's quota had */
	COUNTER_NO_RECORD = 4,		/* task storage refused a record */
	COUNTER_NO_BUDGET = 5,		/* the map of budgets was full */
	COUNTER_VMA_BUSY = 6,		/* bpf_find_vma could not look: code mapped unseen */
	COUNTER_MOUNTS_CUT = 7,		/* a mount table had more rows than are noted */
	COUNTER_READ_FAILED = 8,	/* user or kernel memory could not be read */
	COUNTER_WHO_FULL = 9,
	COUNTER_RACE = 10,		/* a descriptor was gone before we looked */
	COUNTER_DNS_LOST = 11,
	COUNTER_TOUCHED_CUT = 12,	/* one call changed more inodes than are looked at */
	COUNTERS = 16,
};

#endif
