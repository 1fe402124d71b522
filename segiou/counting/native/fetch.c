#include "fetch.h"

static const uint32_t LARGE = 0x7E967699; /* 1e38: the largest score whose means are surely finite */

/* Neighbours are read in a loop of their own, which the compiler makes vectors of. */
#define FETCH(NAME)                                                                                               \
    if (stride == (int64_t)sizeof(loose_##NAME))                                                                  \
        for (int64_t i = 0; i < count; i++)                                                                       \
            values[i] = (float)float_##NAME(((const loose_##NAME *)address)[i]);                                  \
    else                                                                                                          \
        for (int64_t i = 0; i < count; i++)                                                                       \
            values[i] = (float)float_##NAME(*(const loose_##NAME *)(address + i * stride));

CLONES int fetch(const char *address, enum kind kind, int64_t stride, int64_t count, float *restrict values)
{
    switch (kind) {
    case FLOAT64: FETCH(f64) break;
    case FLOAT16: FETCH(f16) break;
    case BFLOAT16: FETCH(bf16) break;
    default: FETCH(f32) break;
    }
    uint32_t odd = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        odd |= (bits & INT32_MAX) > LARGE;
    }
    return (int)odd;
}
