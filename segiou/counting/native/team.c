#include "team.h"

typedef void (*parallel)(void (*task)(void *), void *data, unsigned threads, unsigned flags);

void together(void (*task)(void *), void *data, int threads, uintptr_t launch)
{
    if (launch && threads > 1)
        ((parallel)launch)(task, data, (unsigned)threads, 0);
    else
        task(data);
}
