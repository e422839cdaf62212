/* A DNS client: asks, and tells how much came back. */
#include "attack.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#define TIMEOUT_MS 5000

static int write_name(unsigned char *to, const char *name)
{
	unsigned char *at = to;

	while (*name) {
		size_t length = strcspn(name, ".");

		*at++ = length;
		memcpy(at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	*at++ = 0;
	return at - to;
}

/* One question, class IN, recursion desired. */
static int question(unsigned char *to, const char *name, int type)
{
	static const unsigned char head[12] = { 0x12, 0x34, 1, 0, 0, 1 };
	int n = sizeof(head);

	if (strlen(name) > 255)
		_exit(96);
	memcpy(to, head, sizeof(head));
	n += write_name(to + n, name);
	to[n++] = type >> 8;
	to[n++] = type;
	to[n++] = 0;
	to[n++] = 1;
	return n;
}

static int server(char **argv, int type)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(number(argv[1])) };
	int with = socket(AF_INET, type, 0);

	inet_pton(AF_INET, argv[0], &to.sin_addr);
	need("connect", argv[0], connect(with, (void *)&to, sizeof(to)));
	return with;
}

static int answered(int with, const char *step, const char *name, int skip)
{
	struct pollfd ready = { .fd = with, .events = POLLIN };
	unsigned char answer[4096];
	char more[64];
	long n = -ETIMEDOUT;

	if (poll(&ready, 1, TIMEOUT_MS) == 1)
		n = recv(with, answer, sizeof(answer), 0);
	snprintf(more, sizeof(more), "\"bytes\":%ld,\"rcode\":%d,\"answers\":%d", n,
		 n > skip + 7 ? answer[skip + 3] & 15 : -1, n > skip + 7 ? answer[skip + 7] : -1);
	return say_more(step, name, n, more);
}

static int dns_udp(int argc, char **argv)
{
	unsigned char asked[512];
	int with = server(argv, SOCK_DGRAM), n = question(asked, argv[2], argc > 3 ? number(argv[3]) : 1);

	need("send", argv[2], send(with, asked, n, 0));
	return answered(with, "udp", argv[2], 0);
}

/* On TCP each message is led by its length. */
static int dns_tcp(int argc, char **argv)
{
	unsigned char asked[512];
	int with = server(argv, SOCK_STREAM), n = question(asked + 2, argv[2], argc > 3 ? number(argv[3]) : 1);

	asked[0] = n >> 8;
	asked[1] = n;
	need("send", argv[2], send(with, asked, n + 2, 0));
	return answered(with, "tcp", argv[2], 2);
}

const struct verb dns_verbs[] = {
	{ "dns-udp", dns_udp, 3, "SERVER PORT NAME [TYPE]" },
	{ "dns-tcp", dns_tcp, 3, "SERVER PORT NAME [TYPE]" },
	{},
};
