/* To come. */
#include "attack.h"

const struct verb race_verbs[] = { {} };
