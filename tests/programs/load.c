/* Code mapped executable, and memory that only looks like it. */
#include "attack.h"
#include <sys/personality.h>

#define PAGE 4096

/* What the kernel says of the mapping, whatever was asked for. */
static bool is_executable(const void *at)
{
	unsigned long begin, end;
	char line[4300], rights[5];
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%lx-%lx %4s", &begin, &end, rights) == 3 && begin <= (unsigned long)at &&
			(unsigned long)at < end && rights[2] == 'x';
	if (maps)
		fclose(maps);
	return found;
}

static int say_mapped(const char *step, const char *path, const void *at, int file)
{
	if (at == MAP_FAILED)
		return say(step, path, -1);
	return say(step, path, is_executable(at) ? 0 : -ENOEXEC) + say_file("file", path, file);
}

static int map(const char *step, const char *path, int file, int protection)
{
	return say_mapped(step, path, mmap(NULL, PAGE, protection, MAP_PRIVATE, file, 0), file);
}

static int map_file(int argc, char **argv)
{
	(void)argc;
	return map("mmap", argv[0], open(argv[0], O_RDONLY), PROT_READ | PROT_EXEC);
}

static int map_dropped(int argc, char **argv)
{
	(void)argc;
	return map("mmap", argv[1], copy_file(argv[0], argv[1], 0644), PROT_READ | PROT_EXEC);
}

static int map_memfd(int argc, char **argv)
{
	int file = memfd_create("code", 0);

	(void)argc;
	need("memfd_create", "code", file);
	fill(file, argv[0]);
	return map("mmap", "code", file, PROT_READ | PROT_EXEC);
}

static int map_deleted(int argc, char **argv)
{
	int file = copy_file(argv[0], "/tmp/gone.so", 0644);

	(void)argc;
	need("unlink", "/tmp/gone.so", unlink("/tmp/gone.so"));
	return map("mmap", "/tmp/gone.so", file, PROT_READ | PROT_EXEC);
}

static int protect(const char *path, long call, long extra)
{
	int file = open(path, O_RDONLY);
	void *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0);

	need("mmap", path, at == MAP_FAILED ? -1 : 0);
	need("mprotect", path, syscall(call, at, PAGE, PROT_READ | PROT_EXEC, extra));
	return say_mapped("mprotect", path, at, file);
}

static int map_protect(int argc, char **argv)
{
	(void)argc;
	return protect(argv[0], SYS_mprotect, 0);
}

static int map_pkey(int argc, char **argv)
{
	(void)argc;
	return protect(argv[0], SYS_pkey_mprotect, -1);
}

/* One call makes two mappings executable: a page without a file, and behind it the file. */
static int map_protect_two(int argc, char **argv)
{
	char *both = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int file = open(argv[0], O_RDONLY);

	(void)argc;
	need("mmap", argv[0], both == MAP_FAILED ? -1 : 0);
	need("mmap", argv[0],
	     mmap(both + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == MAP_FAILED ? -1 : 0);
	need("mprotect", argv[0], mprotect(both, 2 * PAGE, PROT_READ | PROT_EXEC));
	return say_mapped("mprotect", argv[0], both + PAGE, file);
}

/* With READ_IMPLIES_EXEC the kernel adds PROT_EXEC itself: the argument of the call doesn't have it. */
static int map_implied(int argc, char **argv)
{
	(void)argc;
	need("personality", argv[0], personality(READ_IMPLIES_EXEC));
	return map("mmap", argv[0], open(argv[0], O_RDONLY), PROT_READ);
}

/* i386's mmap2, number 192: its arguments are as mmap's, the offset in pages. */
static int map_int80(int argc, char **argv)
{
	int file = open(argv[0], O_RDONLY);
	long at, nr = 192;

	(void)argc;
	asm volatile("push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp"
		     : "=a"(at)
		     : "a"(nr), "b"(0), "c"(PAGE), "d"(PROT_READ | PROT_EXEC), "S"(MAP_PRIVATE), "D"(file)
		     : "memory", "r8", "r9", "r10", "r11");
	at &= 0xffffffff;
	return say_mapped("mmap2", argv[0], (void *)at, file);
}

/* i386's first mmap, number 90: its arguments are in memory, and no register says what they are. */
static int map_int80_old(int argc, char **argv)
{
	int file = open(argv[0], O_RDONLY);
	unsigned int *with = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long at;

	(void)argc;
	need("mmap", "", with == MAP_FAILED ? -1 : 0);
	with[1] = PAGE;
	with[2] = PROT_READ | PROT_EXEC;
	with[3] = MAP_PRIVATE;
	with[4] = file;
	at = int80(90, (long)with, 0, 0, 0) & 0xffffffff;
	return say_mapped("old mmap", argv[0], (void *)at, file);
}

/* What a just-in-time compiler does. Returns 42 from the code that it wrote. */
static int jit(int argc, char **argv)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)argc;
	(void)argv;
	need("mmap", "", at == MAP_FAILED ? -1 : 0);
	memcpy(at, code, sizeof(code));
	need("mprotect", "", mprotect(at, PAGE, PROT_READ | PROT_EXEC));
	return say("jit", "", ((int (*)(void))at)() == 42 ? 0 : -EFAULT);
}

static int preload(int argc, char **argv)
{
	char *with[] = { "/usr/bin/dynamic", NULL };
	char variable[4200];

	(void)argc;
	close(copy_file(argv[0], argv[1], 0644));
	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s", argv[1]);
	putenv(variable);
	return run_program("preload", with[0], with, by_execve);
}

static int dlopen_file(int argc, char **argv)
{
	char *with[] = { "/usr/bin/dynamic", "load", argv[0], NULL };

	(void)argc;
	return run_program("dlopen", with[0], with, by_execve);
}

static int dlopen_memfd(int argc, char **argv)
{
	char *with[] = { "/usr/bin/dynamic", "load-memfd", argv[0], NULL };

	(void)argc;
	return run_program("dlopen", with[0], with, by_execve);
}

const struct verb load_verbs[] = {
	{ "map", map_file, 1, "PATH: mapped executable" },
	{ "map-dropped", map_dropped, 2, "PATH COPY: copies it, maps the copy, leaves it" },
	{ "map-memfd", map_memfd, 1, "PATH: a copy in anonymous memory" },
	{ "map-deleted", map_deleted, 1, "PATH: a copy whose name is gone" },
	{ "map-protect", map_protect, 1, "PATH: mapped readable, then mprotect" },
	{ "map-protect-two", map_protect_two, 1, "PATH: mapped readable behind other memory, one mprotect for both" },
	{ "map-pkey", map_pkey, 1, "PATH: mapped readable, then pkey_mprotect" },
	{ "map-implied", map_implied, 1, "PATH: mapped readable under READ_IMPLIES_EXEC" },
	{ "map-int80", map_int80, 1, "PATH: 32-bit mmap2" },
	{ "map-int80-old", map_int80_old, 1, "PATH: 32-bit mmap, whose arguments are in memory" },
	{ "jit", jit, 0, "anonymous memory, written, then executable: no file is loaded" },
	{ "preload", preload, 2, "LIBRARY COPY: copies it and starts /usr/bin/dynamic with it preloaded" },
	{ "dlopen", dlopen_file, 1, "LIBRARY" },
	{ "dlopen-memfd", dlopen_memfd, 1, "LIBRARY: a copy in anonymous memory" },
	{},
};
