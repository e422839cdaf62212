/* Credentials that grew although nothing may let them grow: the mark of a kernel that was broken into.
 *
 * Without an exec, a task's permitted capabilities only shrink; a user id becomes 0 only if it was in reserve, or by CAP_SETUID;
 * and only a namespace below its own may be entered. An exec gives user id 0 only by a set-user-id file. What a file's
 * capabilities or root's rights add at an exec is lawful and told by the exec itself.
 *
 * Compared wherever the credentials are another object than those last seen, at every fork and at every exec. Nothing here uses
 * the CPU's scratch: hooks that can be preempted come here, too.
 */
#ifndef VEDETTE_PRIVILEGE_BPF_H
#define VEDETTE_PRIVILEGE_BPF_H

#include "budget.bpf.h"
#include "event.bpf.h"
#include "task.bpf.h"

#define CAP_SETUID (1ull << 7)

enum credentials_change {
	CHANGED_IN_PLACE = 0,
	CHANGED_BY_EXEC = 1,
	CHANGED_BY_SET_USER_ID = 2, /* an exec of such a file */
};

/* capset, setresuid, setns(2); user_namespaces(7). In a namespace that doesn't hold the host's user 0, CAP_SETUID can't reach it. */
static __always_inline bool has_grown(const struct credentials *was, const struct credentials *is, u32 how)
{
	bool was_root = !was->uid || !was->euid || !was->suid;

	if (is->user_namespace != was->user_namespace)
		return is->user_level <= was->user_level;
	if (how == CHANGED_IN_PLACE && is->permitted & ~was->permitted)
		return true;
	if (is->euid || was_root || how == CHANGED_BY_SET_USER_ID)
		return false;
	return was->user_level || !(was->permitted & CAP_SETUID);
}

NOINLINE int tell_growth(struct proc *p, struct credentials *was)
{
	u64 now = bpf_ktime_get_boot_ns();
	struct privilege_event *e;
	struct budget *b;

	if (!p || !was)
		return 0;
	b = budget_of(p->by.container, KIND_PRIVILEGE, now);
	if (b && !take_token(b, now)) {
		add(&b->over, 1);
		return 0;
	}
	e = bpf_ringbuf_reserve(&urgent, sizeof(*e), 0);
	if (!e) {
		count(COUNTER_URGENT_LOST);
		if (b)
			add(&b->lost, 1);
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->event.time_ns = now;
	e->event.kind = KIND_PRIVILEGE;
	fill_actor(&e->event.by, &p->by);
	e->before = was->permitted;
	e->after = p->rights.permitted;
	e->before_euid = was->euid;
	bpf_ringbuf_submit(e, 0);
	if (b)
		add(&b->sent, 1);
	return 0;
}

/* The current task's credentials into its record. `how`: enum credentials_change. A record that is only borrowed from the leader
 * of the thread group says nothing of this thread's rights before. */
GLOBAL int watch_credentials(struct proc *p, u32 how)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct credentials was;
	u64 cred;

	if (!p)
		return 0;
	was = p->rights;
	cred = p->cred;
	read_credentials(p, task);
	if (p->cred != cred)
		p->who = 0; /* made from others */
	if (p->tid == task->pid && p->by.session != SESSION_RUNTIME && has_grown(&was, &p->rights, how))
		tell_growth(p, &was);
	return 0;
}

#endif
