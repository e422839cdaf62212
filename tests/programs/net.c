/* Every way to talk to somebody. */
#include "attack.h"
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_of(const char *text, const char *port, union address *to)
{
	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, text, &to->v4.sin_addr) == 1) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(number(port));
		return sizeof(to->v4);
	}
	if (inet_pton(AF_INET6, text, &to->v6.sin6_addr) != 1) {
		fprintf(stderr, "attack: \"%s\" is no address\n", text);
		_exit(96);
	}
	to->v6.sin6_family = AF_INET6;
	to->v6.sin6_port = htons(number(port));
	return sizeof(to->v6);
}

static int say_peer(const char *step, char **argv, long result)
{
	char more[64];

	snprintf(more, sizeof(more), "\"port\":%ld", number(argv[1]));
	return say_more(step, argv[0], result, more);
}

static int new_socket(int family, int type)
{
	int made = socket(family, type | SOCK_CLOEXEC, 0);

	need("socket", "", made);
	return made;
}

static int tcp(int argc, char **argv)
{
	union address to;
	socklen_t size = address_of(argv[0], argv[1], &to);

	(void)argc;
	return say_peer("connect", argv, connect(new_socket(to.any.sa_family, SOCK_STREAM), &to.any, size));
}

/* The result comes later: what the socket says of itself when it is writable. */
static int tcp_nonblocking(int argc, char **argv)
{
	union address to;
	socklen_t size = address_of(argv[0], argv[1], &to), length = sizeof(int);
	struct pollfd ready = { .fd = new_socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK), .events = POLLOUT };
	int error = 0;

	(void)argc;
	if (connect(ready.fd, &to.any, size) && errno != EINPROGRESS)
		return say_peer("connect", argv, -1);
	poll(&ready, 1, 5000);
	getsockopt(ready.fd, SOL_SOCKET, SO_ERROR, &error, &length);
	return say_peer("connect", argv, -error);
}

static int tcp_fast_open(int argc, char **argv)
{
	union address to;
	socklen_t size = address_of(argv[0], argv[1], &to);
	int with = new_socket(to.any.sa_family, SOCK_STREAM);

	(void)argc;
	return say_peer("sendto", argv, sendto(with, "x", 1, MSG_FASTOPEN, &to.any, size));
}

/* With the option, connect only notes the peer: the first write sends SYN and data. */
static int tcp_fast_open_connect(int argc, char **argv)
{
	union address to;
	socklen_t size = address_of(argv[0], argv[1], &to);
	int with = new_socket(to.any.sa_family, SOCK_STREAM), on = 1;

	(void)argc;
	need("setsockopt", argv[0], setsockopt(with, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)));
	need("connect", argv[0], connect(with, &to.any, size));
	return say_peer("write", argv, write(with, "x", 1));
}

/* An IPv4 peer through an IPv6 socket: ::ffff:127.0.0.1. */
static int tcp_mapped(int argc, char **argv)
{
	char mapped[64];
	char *with[] = { mapped, argv[1], NULL };

	snprintf(mapped, sizeof(mapped), "::ffff:%s", argv[0]);
	return tcp(argc, with);
}

static int tcp_uring(int argc, char **argv, int flags)
{
	union address to;
	socklen_t size = address_of(argv[0], argv[1], &to);
	struct io_uring_sqe wanted = {
		.opcode = IORING_OP_CONNECT,
		.flags = flags,
		.fd = new_socket(to.any.sa_family, SOCK_STREAM),
		.addr = (unsigned long)&to,
		.off = size,
	};

	(void)argc;
	return say_peer("io_uring connect", argv, uring_once(&wanted, 0));
}

static int uring_connect(int argc, char **argv)
{
	return tcp_uring(argc, argv, 0);
}

static int uring_connect_async(int argc, char **argv)
{
	return tcp_uring(argc, argv, IOSQE_ASYNC);
}

/* i386's socketcall: everything about sockets through one number. */
static int tcp_int80(int argc, char **argv)
{
	uint32_t *with =
		mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	union address *to = (void *)(with + 16);

	(void)argc;
	with[0] = new_socket(strchr(argv[0], ':') ? AF_INET6 : AF_INET, SOCK_STREAM);
	with[2] = address_of(argv[0], argv[1], to);
	with[1] = (uint32_t)(unsigned long)to;
	return say_peer("int80 socketcall", argv, int80(102, 3, (long)with, 0, 0));
}

static int udp(int argc, char **argv)
{
	union address to;
	socklen_t size = address_of(argv[0], argv[1], &to);
	int with = new_socket(to.any.sa_family, SOCK_DGRAM);

	(void)argc;
	return say_peer("connect", argv, connect(with, &to.any, size)) + say_peer("send", argv, send(with, "x", 1, 0));
}

static int udp_sendto(int argc, char **argv)
{
	union address to;
	socklen_t size = address_of(argv[0], argv[1], &to);

	(void)argc;
	return say_peer("sendto", argv, sendto(new_socket(to.any.sa_family, SOCK_DGRAM), "x", 1, 0, &to.any, size));
}

static struct msghdr message(union address *to, socklen_t size)
{
	static struct iovec byte = { .iov_base = "x", .iov_len = 1 };

	return (struct msghdr){ .msg_name = to, .msg_namelen = size, .msg_iov = &byte, .msg_iovlen = 1 };
}

static int udp_sendmsg(int argc, char **argv)
{
	union address to;
	struct msghdr what = message(&to, address_of(argv[0], argv[1], &to));

	(void)argc;
	return say_peer("sendmsg", argv, sendmsg(new_socket(to.any.sa_family, SOCK_DGRAM), &what, 0));
}

/* ADDRESS PORT ADDRESS PORT …: several peers in one call. */
static int udp_sendmmsg(int argc, char **argv)
{
	union address to[8] = {};
	struct mmsghdr what[8] = {};
	int count = argc / 2 < 8 ? argc / 2 : 8, failed = 0;

	for (int i = 0; i < count; i++)
		what[i].msg_hdr = message(&to[i], address_of(argv[2 * i], argv[2 * i + 1], &to[i]));
	need("sendmmsg", argv[0], sendmmsg(new_socket(to[0].any.sa_family, SOCK_DGRAM), what, count, 0));
	for (int i = 0; i < count; i++)
		failed += say_peer("sendmmsg", argv + 2 * i, what[i].msg_len == 1 ? 0 : -EIO);
	return failed;
}

static int uring_sendmsg(int argc, char **argv)
{
	union address to;
	struct msghdr what = message(&to, address_of(argv[0], argv[1], &to));
	struct io_uring_sqe wanted = {
		.opcode = IORING_OP_SENDMSG,
		.fd = new_socket(to.any.sa_family, SOCK_DGRAM),
		.addr = (unsigned long)&what,
		.len = 1,
	};

	(void)argc;
	return say_peer("io_uring sendmsg", argv, uring_once(&wanted, 0));
}

static int udp_bind(int argc, char **argv)
{
	union address at;
	socklen_t size = address_of(argv[0], argv[1], &at);

	(void)argc;
	return say_peer("bind", argv, bind(new_socket(at.any.sa_family, SOCK_DGRAM), &at.any, size));
}

static int listening(char **argv)
{
	union address at;
	socklen_t size = address_of(argv[0], argv[1], &at);
	int with = new_socket(at.any.sa_family, SOCK_STREAM), on = 1;

	setsockopt(with, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	need("bind", argv[0], bind(with, &at.any, size));
	say_peer("listen", argv, listen(with, 64));
	return with;
}

static int tcp_listen(int argc, char **argv)
{
	(void)argc;
	close(listening(argv));
	return 0;
}

/* Listens until COUNT connections came (0: for ever), tells each peer. */
static int tcp_serve(int argc, char **argv)
{
	int with = listening(argv), served = 0, wanted = argc > 2 ? number(argv[2]) : 1;

	while (!wanted || served++ < wanted) {
		union address peer = {};
		socklen_t size = sizeof(peer);
		int got = accept(with, &peer.any, &size);
		char text[INET6_ADDRSTRLEN] = "";

		inet_ntop(peer.any.sa_family,
			  peer.any.sa_family == AF_INET ? (void *)&peer.v4.sin_addr : (void *)&peer.v6.sin6_addr, text,
			  sizeof(text));
		say("accept", text, got);
		close(got);
	}
	return 0;
}

/* Both ends: a child connects to what this process listens on. */
static int tcp_accept(int argc, char **argv)
{
	int with = listening(argv), got;

	if (!fork())
		_exit(tcp(argc, argv));
	got = accept(with, NULL, NULL);
	wait(NULL);
	return say_peer("accept", argv, got);
}

static int make_socket(const char *step, int family, int type, int protocol)
{
	char more[96];

	snprintf(more, sizeof(more), "\"family\":%d,\"type\":%d,\"protocol\":%d", family, type, protocol);
	return say_more(step, "", socket(family, type, protocol), more);
}

static int raw(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return make_socket("raw", AF_INET, SOCK_RAW, IPPROTO_ICMP) +
	       make_socket("raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
}

static int packet(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return make_socket("packet", AF_PACKET, SOCK_RAW, htons(3)) +
	       make_socket("packet", AF_PACKET, SOCK_DGRAM, htons(0x800));
}

static int netlink(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return make_socket("netlink", AF_NETLINK, SOCK_RAW, 0);
}

static int special(int argc, char **argv)
{
	return make_socket("socket", number(argv[0]), number(argv[1]), argc > 2 ? number(argv[2]) : 0);
}

static socklen_t name_of(const char *path, bool abstract, struct sockaddr_un *to)
{
	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	strncpy(to->sun_path + abstract, path, sizeof(to->sun_path) - 1 - abstract);
	return offsetof(struct sockaddr_un, sun_path) + strlen(path) +
	       1; /* abstract: the leading NUL; else the closing one */
}

/* A server in this very process: a stream's backlog accepts, a datagram's queue takes it. */
static int unix_pair(const char *path, bool abstract, int type)
{
	struct sockaddr_un to;
	socklen_t size = name_of(path, abstract, &to);
	int server = new_socket(AF_UNIX, type), client = new_socket(AF_UNIX, type);

	if (!abstract)
		unlink(path);
	need("bind", path, bind(server, (void *)&to, size));
	if (type == SOCK_DGRAM)
		return say("sendto", path, sendto(client, "x", 1, 0, (void *)&to, size));
	need("listen", path, listen(server, 4));
	return say("connect", path, connect(client, (void *)&to, size));
}

static int unix_stream(int argc, char **argv)
{
	(void)argc;
	return unix_pair(argv[0], false, SOCK_STREAM);
}

static int unix_sequence(int argc, char **argv)
{
	(void)argc;
	return unix_pair(argv[0], false, SOCK_SEQPACKET);
}

static int unix_datagram(int argc, char **argv)
{
	(void)argc;
	return unix_pair(argv[0], false, SOCK_DGRAM);
}

static int unix_abstract(int argc, char **argv)
{
	(void)argc;
	return unix_pair(argv[0], true, SOCK_STREAM);
}

static int unix_uring(int argc, char **argv)
{
	struct sockaddr_un to;
	socklen_t size = name_of(argv[0], false, &to);
	struct io_uring_sqe wanted = {
		.opcode = IORING_OP_CONNECT,
		.fd = new_socket(AF_UNIX, SOCK_STREAM),
		.addr = (unsigned long)&to,
		.off = size,
	};
	int server = new_socket(AF_UNIX, SOCK_STREAM);

	(void)argc;
	unlink(argv[0]);
	need("bind", argv[0], bind(server, (void *)&to, size));
	need("listen", argv[0], listen(server, 4));
	return say("io_uring connect", argv[0], uring_once(&wanted, 0));
}

static int socket_uring(int argc, char **argv)
{
	struct io_uring_sqe wanted = {
		.opcode = 45, /* IORING_OP_SOCKET, 5.19: newer than Debian 12's header */
		.fd = number(argv[0]),
		.off = number(argv[1]),
		.len = argc > 2 ? number(argv[2]) : 0,
	};

	return say("io_uring socket", "", uring_once(&wanted, 0));
}

static int unix_connect(int argc, char **argv)
{
	struct sockaddr_un to;
	socklen_t size = name_of(argv[0], false, &to);

	(void)argc;
	return say("connect", argv[0], connect(new_socket(AF_UNIX, SOCK_STREAM), (void *)&to, size));
}

const struct verb net_verbs[] = {
	{ "tcp", tcp, 2, "ADDRESS PORT: IPv4 or IPv6" },
	{ "tcp-nonblocking", tcp_nonblocking, 2, "ADDRESS PORT" },
	{ "tcp-fast-open", tcp_fast_open, 2, "ADDRESS PORT: data with the SYN, no connect" },
	{ "tcp-fast-open-connect", tcp_fast_open_connect, 2, "ADDRESS PORT: connect that waits for the first write" },
	{ "tcp-mapped", tcp_mapped, 2, "IPV4 PORT: through an IPv6 socket" },
	{ "tcp-uring", uring_connect, 2, "ADDRESS PORT" },
	{ "tcp-uring-async", uring_connect_async, 2, "ADDRESS PORT: by one of io_uring's workers" },
	{ "tcp-int80", tcp_int80, 2, "ADDRESS PORT: 32-bit socketcall" },
	{ "udp", udp, 2, "ADDRESS PORT: connect, send" },
	{ "udp-sendto", udp_sendto, 2, "ADDRESS PORT: no connect" },
	{ "udp-sendmsg", udp_sendmsg, 2, "ADDRESS PORT" },
	{ "udp-sendmmsg", udp_sendmmsg, 2, "ADDRESS PORT ADDRESS PORT …: several peers in one call" },
	{ "udp-uring", uring_sendmsg, 2, "ADDRESS PORT: io_uring's sendmsg" },
	{ "udp-bind", udp_bind, 2, "ADDRESS PORT" },
	{ "listen", tcp_listen, 2, "ADDRESS PORT" },
	{ "serve", tcp_serve, 2, "ADDRESS PORT [COUNT]: accepts that many, 0 for ever" },
	{ "accept", tcp_accept, 2, "ADDRESS PORT: accepts a child's connection" },
	{ "raw", raw, 0, "ICMP sockets, IPv4 and IPv6" },
	{ "packet", packet, 0, "packet sockets" },
	{ "netlink", netlink, 0, "a netlink socket" },
	{ "socket", special, 2, "FAMILY TYPE [PROTOCOL]: any, by numbers" },
	{ "socket-uring", socket_uring, 2, "FAMILY TYPE [PROTOCOL]: by io_uring" },
	{ "unix-stream", unix_stream, 1, "PATH: binds and connects" },
	{ "unix-sequence", unix_sequence, 1, "PATH" },
	{ "unix-datagram", unix_datagram, 1, "PATH: sendto without connect" },
	{ "unix-abstract", unix_abstract, 1, "NAME" },
	{ "unix-uring", unix_uring, 1, "PATH: binds, and connects by io_uring" },
	{ "unix-connect", unix_connect, 1, "PATH: to somebody else's socket" },
	{},
};
