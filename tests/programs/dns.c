/* To come. */
#include "attack.h"

const struct verb dns_verbs[] = { {} };
