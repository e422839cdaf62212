"""The border's structs. Generated from bpf/sensor.h by `python -m agent.sensor.generate`: do not edit."""

# ruff: noqa: E501
# fmt: off
from struct import Struct

HASH = "4238f6abd7b292f6"  # of everything below: recordings and pinned maps carry it

FLOW_KEY = Struct("<3Q4I")
FLOW_KEY_FIELDS = ("who", "ino", "names", "dev", "real_dev", "generation", "what")
FLOW_KEY_PEER = Struct("<Q16s2H3I")
FLOW_KEY_PEER_FIELDS = ("who", "address", "port", "local_port", "real_dev", "generation", "what")

FLOW = Struct("<6QI4x")
FLOW_FIELDS = ("count", "first_ns", "last_ns", "actor", "reported", "emitted_ns", "state")

WHO = Struct("<3Q3I2BH")
WHO_FIELDS = ("container", "exe", "exe_ino", "exe_dev", "euid", "generation", "session", "tty", "round")

ACTOR = Struct("<5Q4I2B6x16s")
ACTOR_FIELDS = ("container", "exe", "started_ns", "creator_started_ns", "ancestor_started_ns", "pid", "creator_pid", "ancestor_pid", "euid", "session", "tty", "comm")

EVENT = Struct("<QI4x8H5Q4I2B6x16s")
EVENT_FIELDS = ("time_ns", "kind", "texts_0", "texts_1", "texts_2", "texts_3", "texts_4", "texts_5", "texts_6", "texts_7", "by_container", "by_exe", "by_started_ns", "by_creator_started_ns", "by_ancestor_started_ns", "by_pid", "by_creator_pid", "by_ancestor_pid", "by_euid", "by_session", "by_tty", "by_comm")
EVENT_BY = 10

FILE_ID = Struct("<4Q3IHB1x")
FILE_ID_FIELDS = ("ino", "names", "ctime_ns", "superblock", "dev", "real_dev", "generation", "flags", "layer")

EXEC_EVENT = Struct("<QI4x8H5Q4I2B6x16s4Q3IHB1x4Q3IHB1x3Q4I4B4x")
EXEC_EVENT_FIELDS = (*EVENT_FIELDS, "file_ino", "file_names", "file_ctime_ns", "file_superblock", "file_dev", "file_real_dev", "file_generation", "file_flags", "file_layer", "script_ino", "script_names", "script_ctime_ns", "script_superblock", "script_dev", "script_real_dev", "script_generation", "script_flags", "script_layer", "capabilities", "permitted", "code_environment", "uid", "gid", "login_uid", "argv_bytes", "seccomp", "no_new_privs", "setuid", "standing")
EXEC_EVENT_FILE = 22
EXEC_EVENT_SCRIPT = 31

EXIT_EVENT = Struct("<QI4x8H5Q4I2B6x16sI4x")
EXIT_EVENT_FIELDS = (*EVENT_FIELDS, "code")

FILE_EVENT = Struct("<QI4x8H5Q4I2B6x16s40s4Q3IHB1x2I")
FILE_EVENT_FIELDS = (*EVENT_FIELDS, "key", "file_ino", "file_names", "file_ctime_ns", "file_superblock", "file_dev", "file_real_dev", "file_generation", "file_flags", "file_layer", "access", "standing")
FILE_EVENT_FILE = 23

CHANGE_EVENT = Struct("<QI4x8H5Q4I2B6x16s40s4Q3IHB1x4Q3IHB1x3I4x")
CHANGE_EVENT_FIELDS = (*EVENT_FIELDS, "key", "file_ino", "file_names", "file_ctime_ns", "file_superblock", "file_dev", "file_real_dev", "file_generation", "file_flags", "file_layer", "target_ino", "target_names", "target_ctime_ns", "target_superblock", "target_dev", "target_real_dev", "target_generation", "target_flags", "target_layer", "operation", "mode", "owner")
CHANGE_EVENT_FILE = 23
CHANGE_EVENT_TARGET = 32

NET_EVENT = Struct("<QI4x8H5Q4I2B6x16s40s16s2H3B1xi4x")
NET_EVENT_FIELDS = (*EVENT_FIELDS, "key", "address", "port", "local_port", "direction", "protocol", "standing", "result")

SOCKET_EVENT = Struct("<QI4x8H5Q4I2B6x16s40s3I4x")
SOCKET_EVENT_FIELDS = (*EVENT_FIELDS, "key", "family", "type", "protocol")

UNIX_EVENT = Struct("<QI4x8H5Q4I2B6x16s40s4Q3IHB1xi4x")
UNIX_EVENT_FIELDS = (*EVENT_FIELDS, "key", "file_ino", "file_names", "file_ctime_ns", "file_superblock", "file_dev", "file_real_dev", "file_generation", "file_flags", "file_layer", "result")
UNIX_EVENT_FILE = 23

DNS_EVENT = Struct("<QI4x8H5Q4I2B6x16s16sIB3x")
DNS_EVENT_FIELDS = (*EVENT_FIELDS, "server", "length", "tcp")

CGROUP_EVENT = Struct("<QI4x8H5Q4I2B6x16s2Q2I")
CGROUP_EVENT_FIELDS = (*EVENT_FIELDS, "id", "parent", "level", "alive")

HANDOVER_EVENT = Struct("<QI4x8H5Q4I2B6x16sQI4x")
HANDOVER_EVENT_FIELDS = (*EVENT_FIELDS, "mount_namespace", "mounts")

MOUNT_EVENT = Struct("<QI4x8H5Q4I2B6x16sQ4I")
MOUNT_EVENT_FIELDS = (*EVENT_FIELDS, "superblock", "dev", "magic", "is_root", "read_only")

LEFT_EVENT = Struct("<QI4x8H5Q4I2B6x16sQ")
LEFT_EVENT_FIELDS = (*EVENT_FIELDS, "cgroup")

PRIVILEGE_EVENT = Struct("<QI4x8H5Q4I2B6x16s2QI4x")
PRIVILEGE_EVENT_FIELDS = (*EVENT_FIELDS, "before", "after", "before_euid")

REPORT = Struct("<40s3Q3I2BH5Q2I64s")
REPORT_FIELDS = ("key", "who_container", "who_exe", "who_exe_ino", "who_exe_dev", "who_euid", "who_generation", "who_session", "who_tty", "who_round", "count", "added", "first_ns", "last_ns", "actor", "state", "retired", "tail")
REPORT_WHO = 1

BUDGET_KEY = Struct("<QI4x")
BUDGET_KEY_FIELDS = ("container", "kind")

BUDGET = Struct("<10Q")
BUDGET_FIELDS = ("quota", "rate", "burst", "tokens", "refill_ns", "flows", "over", "unsent", "lost", "sent")

PREFIX_KEY = Struct("<2Q2I")
PREFIX_KEY_FIELDS = ("container", "names", "dev", "what")

PREFIX = Struct("<4QI4x")
PREFIX_FIELDS = ("count", "reported", "last_ns", "actor", "judged")

TRIPWIRE_KEY = Struct("<2QI4x")
TRIPWIRE_KEY_FIELDS = ("container", "names", "dev")

TRIPWIRE_NETWORK = Struct("<3I16s")
TRIPWIRE_NETWORK_FIELDS = ("bits", "container_low", "container_high", "address")

CONTAINER = Struct("<4Q2I")
CONTAINER_FIELDS = ("main_pid", "main_started_ns", "mount_namespace", "root", "state", "mounts")

ANSWER = Struct("<40sI4x")
ANSWER_FIELDS = ("key", "state")

KIND_EXEC = 1
KIND_EXIT = 2
KIND_OPEN = 3
KIND_LOAD = 4
KIND_CHANGE = 5
KIND_NET = 6
KIND_SOCKET = 7
KIND_UNIX = 8
KIND_DNS = 9
KIND_CGROUP = 10
KIND_HANDOVER = 11
KIND_MOUNT = 12
KIND_LEFT = 13
KIND_PRIVILEGE = 14
KIND_WHO = 15
KIND_MANY = 16
KIND_TRIPWIRE = 17
KINDS = 18

SESSION_RUNTIME = 1
SESSION_MAIN = 2
SESSION_EXEC = 3
SESSION_STANDING = 4

LAYER_IMAGE = 1
LAYER_WRITABLE = 2
LAYER_VOLUME = 3
LAYER_TMPFS = 4
LAYER_NEW_MOUNT = 5
LAYER_MEMFD = 6
LAYER_PROC = 7
LAYER_PROC_SELF = 8
LAYER_PROC_OTHER = 9
LAYER_ROOT = 10
LAYER_HOST = 11

FILE_DELETED = 1
FILE_DISCONNECTED = 2
FILE_CUT = 4
FILE_UNSTABLE = 8
FILE_COMPAT = 16
FILE_URING = 32
FILE_SUSPECT_FD = 64
FILE_CLAIMED = 256

ACCESS_READ = 1
ACCESS_WRITE = 2
ACCESS_CREATE = 4
ACCESS_TRUNCATE = 8
ACCESS_APPEND = 16

OPERATION_RENAME = 1
OPERATION_LINK = 2
OPERATION_SYMLINK = 3
OPERATION_UNLINK = 4
OPERATION_RMDIR = 5
OPERATION_MKDIR = 6
OPERATION_TRUNCATE = 7
OPERATION_CHMOD = 8
OPERATION_CHOWN = 9
OPERATION_MKNOD = 10
OPERATION_MOUNT = 11
OPERATION_UNMOUNT = 12
OPERATION_XATTR = 13

DIRECTION_EGRESS = 1
DIRECTION_INGRESS = 2
DIRECTION_LISTEN = 3
DIRECTION_BIND = 4

OUTCOME_NONE = 0
OUTCOME_REFUSED = 1
OUTCOME_FAILED = 2

FLOW_UNSENT = 0
FLOW_PENDING = 1
FLOW_KNOWN = 2
FLOW_WATCHED = 3

PREFIX_OVER = 0
PREFIX_TREE = 1
PREFIX_CHILDREN = 2

WIRED_WORDS = 16

CONTAINER_UNDECIDED = 0
CONTAINER_YES = 1
CONTAINER_HOST = 2

COUNTER_URGENT_LOST = 1
COUNTER_NOVELTY_LOST = 2
COUNTER_MAP_FULL = 3
COUNTER_NO_RECORD = 4
COUNTER_NO_BUDGET = 5
COUNTER_VMA_BUSY = 6
COUNTER_MOUNTS_CUT = 7
COUNTER_READ_FAILED = 8
COUNTER_WHO_FULL = 9
COUNTER_RACE = 10
COUNTER_DNS_LOST = 11
COUNTER_TOUCHED_CUT = 12
COUNTERS = 16
