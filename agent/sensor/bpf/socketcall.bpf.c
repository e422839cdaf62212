/* i386's one call for all about sockets, and io_uring's ways around the calls. They end in the functions of unix.bpf.c and
 * socket.bpf.c, which are included before. Addresses of AF_INET are seen below all calls (net.bpf.c).
 */

/* include/uapi/linux/net.h */
enum {
	SOCKETCALL_SOCKET = 1,
	SOCKETCALL_CONNECT = 3,
	SOCKETCALL_SENDTO = 11,
	SOCKETCALL_SENDMSG = 16,
	SOCKETCALL_SENDMMSG = 20
};

SEC("?tp_btf/sys_exit")
int BPF_PROG(compat_socketcall, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 call = compat_argument(regs, 0);
	s32 ret = result;
	u32 a[6] = {};

	if (call != SOCKETCALL_SOCKET && call != SOCKETCALL_CONNECT && call != SOCKETCALL_SENDTO &&
	    call != SOCKETCALL_SENDMSG && call != SOCKETCALL_SENDMMSG)
		return 0;
	if (!proc_of_current(task))
		return 0;
	/* As many as the call has: beyond them may be no memory. */
	if (bpf_probe_read_user(a, call == SOCKETCALL_SENDTO ? sizeof(a) : 3 * sizeof(*a),
				(void *)compat_argument(regs, 1))) {
		count(COUNTER_READ_FAILED);
		return 0;
	}
	if (call == SOCKETCALL_SOCKET)
		return made_by_call(task, a[0], a[1], a[2], ret);
	if (call == SOCKETCALL_CONNECT)
		return connected(task, a[0], a[1], a[2], ret, FILE_COMPAT);
	if (call == SOCKETCALL_SENDTO)
		return sent_to(task, a[0], a[4], a[5], ret, FILE_COMPAT);
	if (call == SOCKETCALL_SENDMSG)
		return sent_messages(task, a[0], a[1], 1, ret, 0, FILE_COMPAT);
	return sent_messages(task, a[0], a[1], ret < 0 ? 1 : ret, ret, COMPAT_STRIDE, FILE_COMPAT);
}

#define IO_CONNECT 16
#define IO_SOCKET 45

/* At completion, in the ring's own process; the request still holds its file, whatever became of the descriptor. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_io_uring_socket, struct io_ring_ctx *ring, void *req, struct io_uring_cqe *cqe)
{
	struct io_kiocb *request = AS(io_kiocb, req);
	struct io_socket *wanted;
	struct sock *sk;
	struct proc *p;
	s32 result;

	if (!req || (request->opcode != IO_CONNECT && request->opcode != IO_SOCKET))
		return 0;
	result = AS(io_uring_cqe, cqe)->res;
	if (request->opcode == IO_SOCKET) {
		wanted = AS(io_socket, req);
		return made_by_call(bpf_get_current_task_btf(), wanted->domain, wanted->type, wanted->protocol, result);
	}
	p = current_proc();
	if (!p || result)
		return 0; /* a failed one leaves no peer, and its address is gone */
	sk = socket_of((u64)request->file);
	if (is_unix(sk))
		linked(p, sk, FILE_URING);
	return 0;
}
