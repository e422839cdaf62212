/* To come. */
#include "attack.h"

const struct verb forge_verbs[] = { {} };
int in_namespaces(int flags, int (*deed)(int, char **), int argc, char **argv){ (void)flags; return deed(argc, argv); }
