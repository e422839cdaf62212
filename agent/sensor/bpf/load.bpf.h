/* Code mapped executable: what makes it a flow of its own. */
#ifndef VEDETTE_LOAD_BPF_H
#define VEDETTE_LOAD_BPF_H

#include "file.bpf.h"

#define VM_EXEC 4

static __always_inline bool is_of_image(struct view *v)
{
	return v->layer == LAYER_IMAGE && !v->flags;
}

static __always_inline void load_key(struct flow_key *key, u64 who, struct view *v)
{
	key->who = who;
	key->ino = v->ino;
	key->names = mix(v->names, change_time(v));
	key->dev = v->dev;
	key->real_dev = v->real_dev;
	key->generation = v->generation;
	key->what = WHAT(KIND_LOAD, v->layer, v->flags << 5);
}

#endif
