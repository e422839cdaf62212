/* Every way to open a file. */
#include "attack.h"
#include <linux/io_uring.h>
#include <linux/openat2.h>

/* "r" (default), "w", "rw", "create", "trunc", "append", "empty", "path" */
static int open_flags(int argc, char **argv)
{
	static const struct {
		const char *name;
		int flags;
	} known[] = {
		{ "r", O_RDONLY },
		{ "w", O_WRONLY },
		{ "rw", O_RDWR },
		{ "create", O_WRONLY | O_CREAT },
		{ "exclusive", O_WRONLY | O_CREAT | O_EXCL },
		{ "trunc", O_WRONLY | O_TRUNC },
		{ "append", O_WRONLY | O_APPEND },
		{ "empty", O_RDONLY | O_TRUNC },
		{ "path", O_PATH },
	};

	for (size_t i = 0; argc > 1 && i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i].name, argv[1]))
			return known[i].flags;
	return O_RDONLY;
}

static int by_open(int argc, char **argv)
{
	return say_file("open", argv[0], syscall(SYS_open, argv[0], open_flags(argc, argv), 0644));
}

static int by_openat(int argc, char **argv)
{
	return say_file("openat", argv[0], syscall(SYS_openat, AT_FDCWD, argv[0], open_flags(argc, argv), 0644));
}

static int by_openat2(int argc, char **argv)
{
	struct open_how how = { .flags = open_flags(argc, argv) };

	how.mode = how.flags & O_CREAT ? 0644 : 0;
	return say_file("openat2", argv[0], syscall(SYS_openat2, AT_FDCWD, argv[0], &how, sizeof(how)));
}

static int by_creat(int argc, char **argv)
{
	(void)argc;
	return say_file("creat", argv[0], syscall(SYS_creat, argv[0], 0644));
}

/* Needs CAP_DAC_READ_SEARCH and a filesystem with handles: a volume or tmpfs, not overlay. */
static int by_handle(int argc, char **argv)
{
	struct {
		struct file_handle head;
		char bytes[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount, root = open(argv[0], O_RDONLY | O_DIRECTORY);
	char path[4200];

	(void)argc;
	snprintf(path, sizeof(path), "%s/%s", argv[0], argv[1]);
	need("open", argv[0], root);
	need("name_to_handle_at", path, name_to_handle_at(AT_FDCWD, path, &handle.head, &mount, 0));
	return say_file("open_by_handle_at", path, open_by_handle_at(root, &handle.head, O_RDONLY));
}

static int by_relative(int argc, char **argv)
{
	int directory = open(argv[0], O_PATH | O_DIRECTORY);

	(void)argc;
	need("open", argv[0], directory);
	return say_file("openat", argv[1], openat(directory, argv[1], O_RDONLY));
}

static long ring_open(int argc, char **argv, unsigned flags, int slot)
{
	struct io_uring_sqe wanted = {
		.opcode = IORING_OP_OPENAT,
		.fd = AT_FDCWD,
		.flags = flags,
		.addr = (unsigned long)argv[0],
		.open_flags = open_flags(argc, argv),
		.len = 0644,
	};

	return uring_once(&wanted, slot);
}

static int by_uring(int argc, char **argv)
{
	return say_file("io_uring", argv[0], ring_open(argc, argv, 0, 0));
}

static int by_uring_async(int argc, char **argv)
{
	return say_file("io_uring async", argv[0], ring_open(argc, argv, IOSQE_ASYNC, 0));
}

/* The file gets no number in the process's table: the result is 0. */
static int by_uring_direct(int argc, char **argv)
{
	return say("io_uring direct", argv[0], ring_open(argc, argv, 0, 2));
}

static int by_uring_openat2(int argc, char **argv)
{
	struct open_how how = { .flags = open_flags(argc, argv) };
	struct io_uring_sqe wanted = {
		.opcode = IORING_OP_OPENAT2,
		.fd = AT_FDCWD,
		.addr = (unsigned long)argv[0],
		.off = (unsigned long)&how,
		.len = sizeof(how),
	};

	return say_file("io_uring openat2", argv[0], uring_once(&wanted, 0));
}

static int by_int80_open(int argc, char **argv)
{
	return say_file("int80 open", argv[0], int80(5, low(0, argv[0]), open_flags(argc, argv), 0644, 0));
}

static int by_int80_openat(int argc, char **argv)
{
	return say_file("int80 openat", argv[0], int80(295, AT_FDCWD, low(0, argv[0]), open_flags(argc, argv), 0644));
}

static int by_int80_creat(int argc, char **argv)
{
	(void)argc;
	return say_file("int80 creat", argv[0], int80(8, low(0, argv[0]), 0644, 0, 0));
}

/* A path longer than 4 KiB can't be passed, but walked. The tree is left: the box goes with it. */
static int by_deep(int argc, char **argv)
{
	long levels = number(argv[1]);
	char name[101];

	(void)argc;
	memset(name, 'd', 100);
	name[100] = 0;
	need("chdir", argv[0], chdir(argv[0]));
	for (long i = 0; i < levels; i++) {
		need("mkdir", name, mkdir(name, 0755));
		need("chdir", name, chdir(name));
	}
	need("write", "deep", write_file("deep", "x"));
	return say_file("openat", "deep", open("deep", O_RDONLY));
}

const struct verb file_verbs[] = {
	{ "open", by_open, 1, "PATH [r|w|rw|create|exclusive|trunc|append|empty|path]" },
	{ "openat", by_openat, 1, "PATH [HOW]" },
	{ "openat2", by_openat2, 1, "PATH [HOW]" },
	{ "creat", by_creat, 1, "PATH" },
	{ "open-handle", by_handle, 2, "DIRECTORY NAME: open_by_handle_at" },
	{ "open-relative", by_relative, 2, "DIRECTORY NAME: openat from a directory" },
	{ "open-uring", by_uring, 1, "PATH [HOW]" },
	{ "open-uring-async", by_uring_async, 1, "PATH [HOW]: by one of io_uring's workers" },
	{ "open-uring-direct", by_uring_direct, 1, "PATH [HOW]: into the ring's own table" },
	{ "open-uring-openat2", by_uring_openat2, 1, "PATH [HOW]" },
	{ "open-int80", by_int80_open, 1, "PATH [HOW]: 32-bit open" },
	{ "open-int80-openat", by_int80_openat, 1, "PATH [HOW]: 32-bit openat" },
	{ "open-int80-creat", by_int80_creat, 1, "PATH: 32-bit creat" },
	{ "open-deep", by_deep, 2, "DIRECTORY LEVELS: a file below that many names of 100 bytes" },
	{},
};
