/* `attack VERB ARGS…`: one deed per verb, done inside a container, told truly on standard output.
 *
 * Every step is one line of JSON: {"verb", "step", "pid", "tid", "path", "errno", …}. `pid` is as this process's pid
 * namespace has it. The exit code is 0 if every step worked. What arguments a verb takes, its line in the table says.
 */
#ifndef ATTACK_H
#define ATTACK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct verb {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the first argument after the verb; 0 if all worked */
	int least;			   /* arguments that it needs */
	const char *takes;		   /* its arguments */
};

extern const struct verb exec_verbs[], load_verbs[], file_verbs[], change_verbs[], net_verbs[], dns_verbs[],
	forge_verbs[], escape_verbs[], race_verbs[];

#define QUIET "/usr/bin/quiet"

/* report.c: what was done */
void this_verb(const char *name);
/* Tell a step. `result` is a system call's: negative with errno set, or -errno; gives 0 or 1 to be added up. */
int say(const char *step, const char *path, long result);
/* The same with a further field, printed as it is: "\"port\":80". */
int say_more(const char *step, const char *path, long result, const char *more);
/* Tell a file that is open, with its inode; closes it. */
int say_file(const char *step, const char *path, int file);
/* Tell a failure of something that only prepares, and end: what follows would be a lie. */
void need(const char *step, const char *path, long result);

/* report.c: what many verbs need */
long number(const char *text);
int copy_file(const char *from, const char *to, mode_t mode); /* gives an fd open for reading, or -1 */
int write_file(const char *path, const char *text);
int fill(int to, const char *from); /* the bytes of a file into an open one */
ino_t inode_of(const char *path);

/* exec.c */
typedef void (*replace_fn)(const char *path, char **argv);
/* Fork, replace the program by `replace`, wait; errno of a failed exec is told. */
int run_program(const char *step, const char *path, char **argv, replace_fn replace);
void by_execve(const char *path, char **argv);

/* uring.c: one operation through a new ring; gives its result. `slot` is a direct descriptor counted from 1, or 0. */
struct io_uring_sqe;
long uring_once(const struct io_uring_sqe *wanted, int slot);

/* compat.c: a 32-bit system call; gives the result or -errno. Texts must go through `low`. */
long int80(long nr, long a, long b, long c, long d);
long low(int slot, const char *text); /* the text's copy below 4 GiB; slots 0 and 1 */

/* forge.c: run `deed` in new namespaces, as root of a new user namespace, in a child of a child */
int in_namespaces(int flags, int (*deed)(int, char **), int argc, char **argv);

#endif
