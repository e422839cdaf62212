/* To come. */
#include "attack.h"

const struct verb net_verbs[] = { {} };
