/* Races against whoever looks at a call's result after the call. */
#include "attack.h"
#include <pthread.h>

static const char *decoy;
static int target;
static bool fresh;
static volatile int go;

/* Waits until the other thread's open has filled `target`, and puts the decoy there. With `fresh`, no second descriptor
 * of the secret or the decoy stays, so that a reference count gives nothing away. */
static void *swap(void *unused)
{
	int kept = open(decoy, O_RDONLY);

	for (;;) {
		int with, copy;

		while (!go)
			;
		with = fresh ? open(decoy, O_RDONLY) : kept;
		while ((copy = dup(target)) < 0 && go)
			;
		if (copy >= 0) {
			dup2(with, target);
			close(copy);
		}
		if (fresh)
			close(with);
		go = 0;
	}
	return unused;
}

static int dup2_race(int argc, char **argv)
{
	long tries = number(argv[0]), swapped = 0;
	ino_t secret = inode_of(argv[1]);
	pthread_t thread;
	char more[64];

	decoy = argv[2];
	fresh = argc > 3;
	pthread_create(&thread, NULL, swap, NULL);
	usleep(1000);
	target = open(argv[1], O_RDONLY);
	close(target);
	for (long i = 0; i < tries; i++) {
		struct stat st;
		int file;

		go = 1;
		file = open(argv[1], O_RDONLY);
		while (go)
			;
		need("open", argv[1], file);
		fstat(file, &st);
		swapped += st.st_ino != secret;
		close(file);
	}
	snprintf(more, sizeof(more), "\"tries\":%ld,\"swapped\":%ld", tries, swapped);
	return say_more("raced", argv[1], 0, more);
}

static const char *names[2];
static volatile bool done;

static void *rename_on(void *unused)
{
	for (int i = 0; !done; i = !i)
		rename(names[i], names[!i]);
	return unused;
}

/* A folder is renamed to and fro while a file below it is opened: by a descriptor, so that each open works. */
static int rename_race(int argc, char **argv)
{
	long tries = number(argv[0]);
	int folder;
	pthread_t thread;
	char more[32], path[4200];

	(void)argc;
	names[0] = argv[1];
	names[1] = argv[2];
	mkdir(argv[1], 0755);
	folder = open(argv[1], O_PATH | O_DIRECTORY);
	need("open", argv[1], folder);
	snprintf(path, sizeof(path), "%s/file", argv[1]);
	need("write", path, write_file(path, "x"));
	pthread_create(&thread, NULL, rename_on, NULL);
	for (long i = 0; i < tries; i++)
		close(openat(folder, "file", O_RDONLY));
	done = true;
	pthread_join(thread, NULL);
	snprintf(more, sizeof(more), "\"tries\":%ld", tries);
	return say_more("raced", argv[1], 0, more);
}

/* The mapping is gone before the call that made it returns to whoever waits for its exit. */
static void *unmap_on(void *at)
{
	while (!done)
		munmap(at, 4096);
	return at;
}

static int unmap_race(int argc, char **argv)
{
	long tries = number(argv[0]);
	int file = open(argv[1], O_RDONLY);
	void *at = (void *)0x30000000;
	pthread_t thread;
	char more[32];

	(void)argc;
	need("open", argv[1], file);
	pthread_create(&thread, NULL, unmap_on, at);
	for (long i = 0; i < tries; i++)
		mmap(at, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 0);
	done = true;
	pthread_join(thread, NULL);
	snprintf(more, sizeof(more), "\"tries\":%ld", tries);
	return say_more("raced", argv[1], 0, more);
}

const struct verb race_verbs[] = {
	{ "race-dup2", dup2_race, 3,
	  "TRIES SECRET DECOY [fresh]: another thread swaps the descriptor at the open's exit" },
	{ "race-rename", rename_race, 3,
	  "TRIES FOLDER OTHER: opens FOLDER/file while FOLDER is renamed to OTHER and back" },
	{ "race-unmap", unmap_race, 2, "TRIES PATH: mapped executable, unmapped at once by another thread" },
	{},
};
