/* Finds the verb and runs it. */
#include "attack.h"

static const struct verb *const subjects[] = {
	exec_verbs, load_verbs, file_verbs, change_verbs, net_verbs, dns_verbs, forge_verbs, escape_verbs, race_verbs,
};

#define SUBJECTS (sizeof(subjects) / sizeof(*subjects))

static int list(void)
{
	for (size_t i = 0; i < SUBJECTS; i++)
		for (const struct verb *v = subjects[i]; v->name; v++)
			printf("%-22s %s\n", v->name, v->takes);
	return 0;
}

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < SUBJECTS; i++)
		for (const struct verb *v = subjects[i]; v->name; v++)
			if (!strcmp(v->name, name))
				return v;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2 || !strcmp(argv[1], "list"))
		return list();
	verb = find(argv[1]);
	if (!verb || argc - 2 < verb->least) {
		fprintf(stderr, "attack: %s: %s\n", argv[1], verb ? verb->takes : "no such verb; see `attack list`");
		return 2;
	}
	this_verb(verb->name);
	return verb->run(argc - 2, argv + 2) ? 1 : 0;
}
