/* Making one file look like another: every deed must work, or a test that it was noticed says nothing. */
#include "attack.h"
#include <libgen.h>

#define JAIL "/tmp/jail"

static void write_map(const char *name, const char *text)
{
	int file = open(name, O_WRONLY | O_CLOEXEC);

	need("open", name, file);
	need("write", name, write(file, text, strlen(text)));
	close(file);
}

/* To map uid 0 of the parent, the parent must have CAP_SETFCAP (since 5.12). */
static void become_root(uid_t uid, gid_t gid)
{
	char map[32];

	write_map("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_map("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_map("/proc/self/gid_map", map);
}

static int end_of(pid_t child)
{
	int status = 0;

	waitpid(child, &status, 0);
	return status != 0;
}

/* Two children: a new pid namespace begins with the second. */
int in_namespaces(int flags, int (*deed)(int, char **), int argc, char **argv)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	pid_t child = fork(), inner;

	need("fork", "", child);
	if (child)
		return end_of(child);
	need("unshare", "", unshare(flags));
	if (flags & CLONE_NEWUSER)
		become_root(uid, gid);
	inner = fork();
	need("fork", "", inner);
	_exit(inner ? end_of(inner) : deed(argc, argv));
}

#define ALL (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS)

static const char *join(const char *a, const char *b)
{
	static char path[2][4200];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s%s", a, b);
	return path[turn];
}

/* Folder and name of a path, as copies. */
static char *folder_of(const char *path)
{
	return dirname(strdup(path));
}

static char *name_of(const char *path)
{
	return basename(strdup(path));
}

/* Each folder of the path, as `mkdir -p`. */
static void make_folders(const char *path)
{
	char part[4200];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0755) && errno != EEXIST)
			need("mkdir", part, -1);
	}
}

static int open_and_run(const char *path)
{
	char *with[] = { (char *)path, NULL };

	return say_file("open", path, open(path, O_RDONLY)) + run_program("execve", path, with, by_execve);
}

/* A file at JAIL/PATH, so that PATH names it from inside. */
static void furnish_jail(const char *path)
{
	const char *real = join(JAIL, path);

	make_folders(real);
	close(copy_file(QUIET, real, 0755));
	say_file("real", real, open(real, O_PATH));
}

static int inside_chroot(int argc, char **argv)
{
	(void)argc;
	need("chroot", JAIL, chroot(JAIL));
	need("chdir", "/", chdir("/"));
	return open_and_run(argv[0]);
}

static int forge_chroot(int argc, char **argv)
{
	furnish_jail(argv[0]);
	return in_namespaces(ALL, inside_chroot, argc, argv);
}

/* What a container runtime does: a root of its own, the old one gone. */
static int inside_pivot(int argc, char **argv)
{
	(void)argc;
	need("mount", "/", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	need("mount", JAIL, mount(JAIL, JAIL, NULL, MS_BIND | MS_REC, NULL));
	need("chdir", JAIL, chdir(JAIL));
	need("pivot_root", ".", syscall(SYS_pivot_root, ".", "."));
	need("umount", ".", umount2(".", MNT_DETACH));
	return open_and_run(argv[0]);
}

static int forge_pivot(int argc, char **argv)
{
	furnish_jail(argv[0]);
	return in_namespaces(ALL, inside_pivot, argc, argv);
}

static int inside_bind(int argc, char **argv)
{
	(void)argc;
	need("mount", "/", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	need("mount", argv[1], mount(argv[0], argv[1], NULL, MS_BIND, NULL));
	return open_and_run(argv[1]);
}

static int forge_bind(int argc, char **argv)
{
	say_file("real", argv[0], open(argv[0], O_PATH));
	return in_namespaces(ALL, inside_bind, argc, argv);
}

static int inside_bind_folder(int argc, char **argv)
{
	(void)argc;
	need("mount", "/", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	need("mount", argv[1], mount(argv[0], argv[1], NULL, MS_BIND, NULL));
	return say_file("open", join(argv[1], argv[2]), open(join(argv[1], argv[2]), O_RDONLY));
}

static int forge_bind_folder(int argc, char **argv)
{
	mkdir(argv[1], 0755);
	return in_namespaces(ALL, inside_bind_folder, argc, argv);
}

static int inside_tmpfs(int argc, char **argv)
{
	char *folder = folder_of(argv[0]);

	(void)argc;
	need("mount", folder, mount("own", folder, "tmpfs", 0, NULL));
	close(copy_file(argv[1], argv[0], 0755));
	return open_and_run(argv[0]);
}

/* The program is copied before its folder is hidden. */
static int forge_tmpfs(int argc, char **argv)
{
	char *with[] = { argv[0], "/tmp/evil", NULL };

	(void)argc;
	close(copy_file(QUIET, "/tmp/evil", 0755));
	return in_namespaces(ALL, inside_tmpfs, 2, with);
}

static int inside_overlay(int argc, char **argv)
{
	char *folder = folder_of(argv[0]);

	(void)argc;
	need("mount", "/tmp/own", mount("own", "/tmp/own", "tmpfs", 0, NULL));
	mkdir("/tmp/own/upper", 0755);
	mkdir("/tmp/own/work", 0755);
	need("mount", folder,
	     mount("own", folder, "overlay", 0,
		   "lowerdir=/tmp/evil-layer,upperdir=/tmp/own/upper,workdir=/tmp/own/work,userxattr"));
	return open_and_run(argv[0]);
}

static int forge_overlay(int argc, char **argv)
{
	mkdir("/tmp/own", 0755);
	mkdir("/tmp/evil-layer", 0755);
	close(copy_file(QUIET, join("/tmp/evil-layer/", name_of(argv[0])), 0755));
	return in_namespaces(ALL, inside_overlay, argc, argv);
}

/* Delete, create, delete, create: filesystems give the same inode number again. */
static int forge_recreate(int argc, char **argv)
{
	ino_t last = 0;
	int reused = 0, failed = 0;
	char more[32];

	(void)argc;
	for (int i = 0; i < 3; i++) {
		unlink(argv[0]);
		need("write", argv[0], write_file(argv[0], "#!/bin/sh\n"));
		reused += inode_of(argv[0]) == last;
		last = inode_of(argv[0]);
		failed += say_file("open", argv[0], open(argv[0], O_RDONLY));
	}
	snprintf(more, sizeof(more), "\"reused\":%d", reused);
	return say_more("recreated", argv[0], 0, more) + failed;
}

static int forge_rename(int argc, char **argv)
{
	(void)argc;
	close(copy_file(argv[1], "/tmp/newer", 0755));
	need("rename", argv[0], rename("/tmp/newer", argv[0]));
	return open_and_run(argv[0]);
}

static int forge_in_place(int argc, char **argv)
{
	int file = open(argv[0], O_WRONLY | O_TRUNC | O_CLOEXEC);

	(void)argc;
	need("open", argv[0], file);
	fill(file, argv[1]);
	close(file);
	return open_and_run(argv[0]);
}

static int forge_move(int argc, char **argv)
{
	const char *before = join(argv[0], "/sub/quiet");
	int failed;

	(void)argc;
	make_folders(before);
	close(copy_file(QUIET, before, 0755));
	failed = open_and_run(before);
	need("rename", argv[0], rename(argv[0], argv[1]));
	return failed + open_and_run(join(argv[1], "/sub/quiet"));
}

/* tmpfs counts its inodes upward, one for each file made: makes files until the wanted number comes. */
static int forge_number(int argc, char **argv)
{
	ino_t wanted = inode_of(argv[0]), got = 0;
	const char *path = join(argv[1], "/same");

	(void)argc;
	while (got < wanted) {
		if (got)
			need("unlink", path, unlink(path));
		need("mknod", path, mknod(path, S_IFREG | 0755, 0));
		got = inode_of(path);
	}
	need("inode", path, got == wanted ? 0 : -ERANGE);
	close(copy_file(QUIET, path, 0755));
	return open_and_run(path);
}

const struct verb forge_verbs[] = {
	{ "forge-chroot", forge_chroot, 1, "PATH: a copy of quiet at /tmp/jail/PATH, seen as PATH after chroot" },
	{ "forge-pivot", forge_pivot, 1, "PATH: the same by pivot_root, as a container in the container" },
	{ "forge-bind", forge_bind, 2, "EVIL ALLOWED: a bind mount of one program over the other" },
	{ "forge-bind-folder", forge_bind_folder, 3, "FOLDER AT /NAME: FOLDER/NAME is opened as AT/NAME" },
	{ "forge-tmpfs", forge_tmpfs, 1, "PATH: a tmpfs of its own over PATH's folder, quiet in it" },
	{ "forge-overlay", forge_overlay, 1, "PATH: an overlay of its own over PATH's folder" },
	{ "forge-recreate", forge_recreate, 1,
	  "PATH: delete and create, three times; `reused` counts equal inode numbers" },
	{ "forge-rename", forge_rename, 2, "PATH EVIL: replaces PATH by a rename of a copy" },
	{ "forge-in-place", forge_in_place, 2, "PATH EVIL: overwrites PATH" },
	{ "forge-move", forge_move, 2, "FROM TO: runs FROM/sub/quiet, moves the folder, runs TO/sub/quiet" },
	{ "forge-number", forge_number, 2,
	  "ALLOWED TMPFS: a program with ALLOWED's inode number on another filesystem" },
	{},
};
