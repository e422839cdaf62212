/* To come. */
#include "attack.h"

const struct verb change_verbs[] = { {} };
