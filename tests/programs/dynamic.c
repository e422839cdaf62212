/* A dynamically linked program: for the loader, LD_PRELOAD and dlopen.
 * `dynamic` does nothing; `dynamic load FILE` dlopens it; `dynamic load-memfd FILE` a copy in anonymous memory. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

static int load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*plugin)(void) = library ? (int (*)(void))dlsym(library, "plugin") : NULL;

	if (!plugin) {
		fprintf(stderr, "dynamic: %s\n", dlerror());
		return 1;
	}
	printf("{\"verb\":\"load\",\"step\":\"dlopen\",\"pid\":%d,\"path\":\"%s\",\"errno\":%d}\n", getpid(), path,
	       plugin() != 42);
	return 0;
}

static int load_memfd(const char *path)
{
	char name[64];
	int from = open(path, O_RDONLY), to = memfd_create("library", 0);

	if (from < 0 || to < 0 || sendfile(to, from, NULL, 1 << 20) <= 0)
		return 1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", to);
	return load(name);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "load"))
		return load(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "load-memfd"))
		return load_memfd(argv[2]);
	return argc > 1;
}
