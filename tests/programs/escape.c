/* To come. */
#include "attack.h"

const struct verb escape_verbs[] = { {} };
