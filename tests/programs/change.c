/* Every way to change a file without writing into it. */
#include "attack.h"
#include <linux/io_uring.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static int by_rename(int argc, char **argv)
{
	(void)argc;
	return say("rename", argv[0], syscall(SYS_rename, argv[0], argv[1]));
}

static int by_renameat(int argc, char **argv)
{
	(void)argc;
	return say("renameat", argv[0], syscall(SYS_renameat, AT_FDCWD, argv[0], AT_FDCWD, argv[1]));
}

static int by_exchange(int argc, char **argv)
{
	(void)argc;
	return say("renameat2 exchange", argv[0], renameat2(AT_FDCWD, argv[0], AT_FDCWD, argv[1], RENAME_EXCHANGE));
}

static int by_link(int argc, char **argv)
{
	(void)argc;
	return say("link", argv[0], syscall(SYS_link, argv[0], argv[1]));
}

/* A file that never had a name gets one. */
static int by_link_tmpfile(int argc, char **argv)
{
	int file = open("/tmp", O_TMPFILE | O_RDWR, 0755);
	char name[64];

	(void)argc;
	need("tmpfile", "/tmp", file);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	return say("linkat", argv[0], linkat(AT_FDCWD, name, AT_FDCWD, argv[0], AT_SYMLINK_FOLLOW));
}

static int by_symlink(int argc, char **argv)
{
	(void)argc;
	return say("symlink", argv[1], syscall(SYS_symlink, argv[0], argv[1]));
}

static int by_unlink(int argc, char **argv)
{
	(void)argc;
	return say("unlink", argv[0], syscall(SYS_unlink, argv[0]));
}

static int by_unlinkat(int argc, char **argv)
{
	(void)argc;
	return say("unlinkat", argv[0], syscall(SYS_unlinkat, AT_FDCWD, argv[0], 0));
}

static int by_rmdir(int argc, char **argv)
{
	(void)argc;
	return say("rmdir", argv[0], syscall(SYS_rmdir, argv[0]));
}

static int by_mkdir(int argc, char **argv)
{
	(void)argc;
	return say("mkdir", argv[0], syscall(SYS_mkdir, argv[0], 0755));
}

static int by_truncate(int argc, char **argv)
{
	(void)argc;
	return say("truncate", argv[0], truncate(argv[0], number(argv[1])));
}

static int by_ftruncate(int argc, char **argv)
{
	int file = open(argv[0], O_WRONLY);

	(void)argc;
	need("open", argv[0], file);
	return say("ftruncate", argv[0], ftruncate(file, number(argv[1])));
}

static int by_chmod(int argc, char **argv)
{
	(void)argc;
	return say("chmod", argv[0], syscall(SYS_chmod, argv[0], (mode_t)number(argv[1])));
}

static int by_fchmod(int argc, char **argv)
{
	int file = open(argv[0], O_RDONLY);

	(void)argc;
	need("open", argv[0], file);
	return say("fchmod", argv[0], fchmod(file, number(argv[1])));
}

static int by_fchmodat(int argc, char **argv)
{
	(void)argc;
	return say("fchmodat", argv[0], syscall(SYS_fchmodat, AT_FDCWD, argv[0], (mode_t)number(argv[1])));
}

static int by_fchmodat2(int argc, char **argv)
{
	(void)argc;
	return say("fchmodat2", argv[0], syscall(SYS_fchmodat2, AT_FDCWD, argv[0], (mode_t)number(argv[1]), 0));
}

static int by_chown(int argc, char **argv)
{
	(void)argc;
	return say("chown", argv[0], syscall(SYS_chown, argv[0], (uid_t)number(argv[1]), (gid_t)number(argv[1])));
}

static int by_fchownat(int argc, char **argv)
{
	uid_t owner = number(argv[1]);

	(void)argc;
	return say("fchownat", argv[0], fchownat(AT_FDCWD, argv[0], owner, owner, AT_SYMLINK_NOFOLLOW));
}

static int by_mknod(int argc, char **argv)
{
	(void)argc;
	return say("mknod", argv[0], mknod(argv[0], S_IFCHR | 0666, makedev(1, 3)));
}

static int by_mkfifo(int argc, char **argv)
{
	(void)argc;
	return say("mkfifo", argv[0], mknod(argv[0], S_IFIFO | 0666, 0));
}

static int by_setxattr(int argc, char **argv)
{
	(void)argc;
	return say("setxattr", argv[0], setxattr(argv[0], "trusted.vedette", "x", 1, 0));
}

static int by_removexattr(int argc, char **argv)
{
	(void)argc;
	return say("removexattr", argv[0], removexattr(argv[0], "trusted.vedette"));
}

/* CAP_NET_RAW, permitted and effective: what `setcap cap_net_raw+ep` writes. */
static int by_setcap(int argc, char **argv)
{
	static const uint32_t capabilities[5] = { 0x02000001, 1 << 13, 0, 0, 0 };

	(void)argc;
	return say("setxattr", argv[0],
		   setxattr(argv[0], "security.capability", capabilities, sizeof(capabilities), 0));
}

static int by_mount(int argc, char **argv)
{
	(void)argc;
	if (argv[0][0] == '/')
		return say("mount", argv[1], mount(argv[0], argv[1], NULL, MS_BIND, NULL));
	return say("mount", argv[1], mount(argv[0], argv[1], argv[0], 0, NULL));
}

static int by_umount(int argc, char **argv)
{
	(void)argc;
	return say("umount", argv[0], umount2(argv[0], MNT_DETACH));
}

/* The newer calls for the same: a bind without mount(2). */
static int by_move_mount(int argc, char **argv)
{
	int tree = syscall(SYS_open_tree, AT_FDCWD, argv[0], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	(void)argc;
	need("open_tree", argv[0], tree);
	return say("move_mount", argv[1],
		   syscall(SYS_move_mount, tree, "", AT_FDCWD, argv[1], MOVE_MOUNT_F_EMPTY_PATH));
}

/* A filesystem that is mounted nowhere, and a file opened on it through its descriptor. */
static int by_fsmount(int argc, char **argv)
{
	int context = syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), tree;

	(void)argc;
	need("fsopen", "tmpfs", context);
	need("fsconfig", "tmpfs", syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	tree = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	need("fsmount", "tmpfs", tree);
	return say_file("openat", argv[0], openat(tree, argv[0], O_RDWR | O_CREAT, 0644));
}

/* Two names, the second in `off`. */
static long ring_change(int op, const char *from, const char *to, unsigned flags)
{
	struct io_uring_sqe wanted = {
		.opcode = op,
		.fd = AT_FDCWD,
		.addr = (unsigned long)from,
		.off = (unsigned long)to,
		.len = to ? (unsigned)AT_FDCWD : 0755,
		.rename_flags = flags,
	};

	if (op == IORING_OP_UNLINKAT || op == IORING_OP_SYMLINKAT)
		wanted.len = 0;
	return uring_once(&wanted, 0);
}

static int by_uring_unlink(int argc, char **argv)
{
	(void)argc;
	return say("io_uring unlinkat", argv[0], ring_change(IORING_OP_UNLINKAT, argv[0], NULL, 0));
}

static int by_uring_rename(int argc, char **argv)
{
	(void)argc;
	return say("io_uring renameat", argv[0], ring_change(IORING_OP_RENAMEAT, argv[0], argv[1], 0));
}

static int by_uring_link(int argc, char **argv)
{
	(void)argc;
	return say("io_uring linkat", argv[0], ring_change(IORING_OP_LINKAT, argv[0], argv[1], 0));
}

static int by_uring_symlink(int argc, char **argv)
{
	(void)argc;
	return say("io_uring symlinkat", argv[1], ring_change(IORING_OP_SYMLINKAT, argv[0], argv[1], 0));
}

static int by_uring_mkdir(int argc, char **argv)
{
	(void)argc;
	return say("io_uring mkdirat", argv[0], ring_change(IORING_OP_MKDIRAT, argv[0], NULL, 0));
}

static int by_int80_rename(int argc, char **argv)
{
	(void)argc;
	return say("int80 rename", argv[0], int80(38, low(0, argv[0]), low(1, argv[1]), 0, 0));
}

static int by_int80_unlink(int argc, char **argv)
{
	(void)argc;
	return say("int80 unlink", argv[0], int80(10, low(0, argv[0]), 0, 0, 0));
}

static int by_int80_chmod(int argc, char **argv)
{
	(void)argc;
	return say("int80 chmod", argv[0], int80(15, low(0, argv[0]), number(argv[1]), 0, 0));
}

const struct verb change_verbs[] = {
	{ "rename", by_rename, 2, "FROM TO" },
	{ "renameat", by_renameat, 2, "FROM TO" },
	{ "exchange", by_exchange, 2, "A B: renameat2 with RENAME_EXCHANGE" },
	{ "link", by_link, 2, "FROM TO" },
	{ "link-tmpfile", by_link_tmpfile, 1, "TO: a name for a file that had none" },
	{ "symlink", by_symlink, 2, "TEXT PATH" },
	{ "unlink", by_unlink, 1, "PATH" },
	{ "unlinkat", by_unlinkat, 1, "PATH" },
	{ "rmdir", by_rmdir, 1, "PATH" },
	{ "mkdir", by_mkdir, 1, "PATH" },
	{ "truncate", by_truncate, 2, "PATH SIZE" },
	{ "ftruncate", by_ftruncate, 2, "PATH SIZE" },
	{ "chmod", by_chmod, 2, "PATH MODE: 04755" },
	{ "fchmod", by_fchmod, 2, "PATH MODE" },
	{ "fchmodat", by_fchmodat, 2, "PATH MODE" },
	{ "fchmodat2", by_fchmodat2, 2, "PATH MODE" },
	{ "chown", by_chown, 2, "PATH UID" },
	{ "fchownat", by_fchownat, 2, "PATH UID" },
	{ "mknod", by_mknod, 1, "PATH: as /dev/null is" },
	{ "mkfifo", by_mkfifo, 1, "PATH" },
	{ "setxattr", by_setxattr, 1, "PATH: trusted.vedette" },
	{ "removexattr", by_removexattr, 1, "PATH: trusted.vedette" },
	{ "setcap", by_setcap, 1, "PATH: the attribute that gives a program capabilities" },
	{ "mount", by_mount, 2, "SOURCE TARGET: a bind if SOURCE is a path, else a filesystem of that type" },
	{ "umount", by_umount, 1, "TARGET" },
	{ "move-mount", by_move_mount, 2, "SOURCE TARGET: open_tree and move_mount" },
	{ "fsmount", by_fsmount, 1, "NAME: opens it on a tmpfs that is mounted nowhere" },
	{ "uring-unlink", by_uring_unlink, 1, "PATH" },
	{ "uring-rename", by_uring_rename, 2, "FROM TO" },
	{ "uring-link", by_uring_link, 2, "FROM TO" },
	{ "uring-symlink", by_uring_symlink, 2, "TEXT PATH" },
	{ "uring-mkdir", by_uring_mkdir, 1, "PATH" },
	{ "int80-rename", by_int80_rename, 2, "FROM TO" },
	{ "int80-unlink", by_int80_unlink, 1, "PATH" },
	{ "int80-chmod", by_int80_chmod, 2, "PATH MODE" },
	{},
};
