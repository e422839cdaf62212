/* One object, so that all programs share one set of maps. One behaviour a file. */
#include "exec.bpf.c"
#include "container.bpf.c"
#include "open.bpf.c"
#include "load.bpf.c"
#include "answer.bpf.c"
#include "call.bpf.c"
