/* Telling what was done, and what many verbs need. */
#include "attack.h"

static const char *verb;

void this_verb(const char *name)
{
	verb = name;
}

/* Text is told byte by byte as latin-1, so that any bytes survive JSON. */
static int quoted(char *to, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 8 < size; text++) {
		unsigned char c = *text;

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			to[n++] = c;
		else
			n += snprintf(to + n, size - n, "\\u%04x", c);
	}
	to[n] = 0;
	return n;
}

int say_more(const char *step, const char *path, long result, const char *more)
{
	static char line[16384], text[12288];
	int error = result >= 0 ? 0 : result == -1 ? errno : -result;
	int n;

	quoted(text, sizeof(text), path);
	n = snprintf(line, sizeof(line),
		     "{\"verb\":\"%s\",\"step\":\"%s\",\"pid\":%d,\"tid\":%ld,\"path\":\"%s\",\"errno\":%d%s%s}\n",
		     verb, step, getpid(), syscall(SYS_gettid), text, error, *more ? "," : "", more);
	/* One write a line: children and threads tell into the same pipe. */
	if (write(STDOUT_FILENO, line, n) != n)
		_exit(98);
	return error != 0;
}

int say(const char *step, const char *path, long result)
{
	return say_more(step, path, result, "");
}

int say_file(const char *step, const char *path, int file)
{
	struct stat st = {};
	char more[96];
	int failed;

	if (file < 0)
		return say(step, path, file);
	fstat(file, &st);
	snprintf(more, sizeof(more), "\"inode\":%lu,\"device\":%lu", st.st_ino, st.st_dev);
	failed = say_more(step, path, 0, more);
	close(file);
	return failed;
}

void need(const char *step, const char *path, long result)
{
	if (result >= 0)
		return;
	say(step, path, result);
	_exit(97);
}

long number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "attack: \"%s\" is not a number\n", text);
		_exit(96);
	}
	return value;
}

int fill(int to, const char *from)
{
	char bytes[65536];
	ssize_t n;
	int in = open(from, O_RDONLY | O_CLOEXEC);

	need("read", from, in);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		need("copy", from, write(to, bytes, n));
	close(in);
	return 0;
}

int copy_file(const char *from, const char *to, mode_t mode)
{
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	need("copy", to, out);
	fill(out, from);
	need("copy", to, fchmod(out, mode));
	close(out);
	return open(to, O_RDONLY | O_CLOEXEC);
}

int write_file(const char *path, const char *text)
{
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	int size = strlen(text);
	int failed;

	if (out < 0)
		return -1;
	failed = write(out, text, size) != size;
	close(out);
	return failed ? -1 : 0;
}

ino_t inode_of(const char *path)
{
	struct stat st;

	need("stat", path, stat(path, &st));
	return st.st_ino;
}
