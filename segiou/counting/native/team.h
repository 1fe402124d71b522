/* Threads. */
#ifndef SEGIOU_TEAM_H
#define SEGIOU_TEAM_H

#include <stdint.h>

/* Call `task(data)` on this thread, and on up to `threads - 1` others where `launch` is the address of GOMP_parallel.
   torch's own threads: after an operation of torch they spin for some milliseconds, waiting for the next, and would
   keep others from the cores. The task shares out its work as it goes: it does not matter how many come. */
void together(void (*task)(void *), void *data, int threads, uintptr_t launch);

#endif
