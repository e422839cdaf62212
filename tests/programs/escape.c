/* Leaving what a process is held in: its cgroup, its namespaces, its number. */
#include "attack.h"
#include <linux/sched.h>

static int enter_cgroup(const char *folder)
{
	char path[4200];

	mkdir(folder, 0755);
	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	return write_file(path, "0");
}

static int join_cgroup(int argc, char **argv)
{
	(void)argc;
	if (say("join", argv[0], enter_cgroup(argv[0])))
		return 1;
	return run_program("execve", argv[1], argv + 1, by_execve);
}

/* clone3 with the fields that a test sets; the child's part is 0. */
static pid_t cloned(struct clone_args *how)
{
	how->exit_signal = SIGCHLD;
	return syscall(SYS_clone3, how, sizeof(*how));
}

static int run_child(const char *step, char **argv, pid_t child)
{
	int status = 0;
	char more[32];

	need(step, argv[0], child);
	if (!child) {
		execve(argv[0], argv, environ);
		_exit(127);
	}
	waitpid(child, &status, 0);
	snprintf(more, sizeof(more), "\"child\":%d", child);
	return say_more(step, argv[0], status ? -ECHILD : 0, more);
}

/* The child is born in the other cgroup: it is never moved. */
static int clone_into_cgroup(int argc, char **argv)
{
	struct clone_args how = { .flags = CLONE_INTO_CGROUP };

	(void)argc;
	mkdir(argv[0], 0755);
	how.cgroup = open(argv[0], O_PATH | O_CLOEXEC);
	return run_child("clone3", argv + 1, cloned(&how));
}

/* Two processes, one after the other, with the same number. */
static int pid_reuse(int argc, char **argv)
{
	pid_t first = fork(), wanted;
	struct clone_args how = { .set_tid = (uintptr_t)&wanted, .set_tid_size = 1 };

	(void)argc;
	wanted = first;
	return run_child("first", argv, first) + run_child("second", argv, cloned(&how));
}

static int enter_namespace(int argc, char **argv)
{
	char path[64];
	int file;

	(void)argc;
	snprintf(path, sizeof(path), "/proc/%ld/ns/mnt", number(argv[0]));
	file = open(path, O_RDONLY | O_CLOEXEC);
	need("open", path, file);
	need("setns", path, setns(file, CLONE_NEWNS));
	return run_program("execve", argv[1], argv + 1, by_execve);
}

static int inside(int argc, char **argv)
{
	(void)argc;
	return run_program("execve", argv[0], argv, by_execve);
}

static int new_namespaces(int argc, char **argv)
{
	return in_namespaces(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC,
			     inside, argc, argv);
}

const struct verb escape_verbs[] = {
	{ "join-cgroup", join_cgroup, 2, "FOLDER PATH: enters a cgroup (made if absent), executes" },
	{ "clone-into-cgroup", clone_into_cgroup, 2, "FOLDER PATH: a child that is born in it executes" },
	{ "pid-reuse", pid_reuse, 1, "PATH: two children with one number; needs CAP_SYS_ADMIN over the pid namespace" },
	{ "enter-namespace", enter_namespace, 2, "PID PATH: its mount namespace" },
	{ "new-namespaces", new_namespaces, 1, "PATH: in new user, pid, mount, network, uts and ipc namespaces" },
	{},
};
