#include "fetch.h"

static const uint32_t LARGE = 0x7E967699; /* 1e38: the largest score whose means are surely finite */

INLINE float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The exponent is rescaled by a product, which also makes the smallest numbers normal. */
INLINE float from_float16(uint16_t half)
{
    uint32_t magnitude = (half & 0x7FFFu) << 13, sign = (half & 0x8000u) << 16, bits;
    float value = as_float(magnitude) * 0x1p112f;
    memcpy(&bits, &value, sizeof bits);
    bits = magnitude >= 0x0F800000 ? magnitude | 0x7F800000 : bits; /* infinities and NaN */
    return as_float(bits | sign);
}

INLINE float from_bfloat16(uint16_t half) { return as_float((uint32_t)half << 16); }

INLINE float from_number(double value) { return (float)value; }

INLINE float from_itself(float value) { return value; }

/* Neighbours are read in a loop of their own, which the compiler makes vectors of. */
#define FETCH(TYPE, CONVERT)                                                                                      \
    if (stride == (int64_t)sizeof(TYPE))                                                                          \
        for (int64_t i = 0; i < count; i++)                                                                       \
            values[i] = CONVERT(((const TYPE *)address)[i]);                                                      \
    else                                                                                                          \
        for (int64_t i = 0; i < count; i++)                                                                       \
            values[i] = CONVERT(*(const TYPE *)(address + i * stride));

CLONES int fetch(const char *address, enum kind kind, int64_t stride, int64_t count, float *restrict values)
{
    switch (kind) {
    case FLOAT64: FETCH(loose_f64, from_number) break;
    case FLOAT16: FETCH(loose_u16, from_float16) break;
    case BFLOAT16: FETCH(loose_u16, from_bfloat16) break;
    default: FETCH(loose_f32, from_itself) break;
    }
    uint32_t odd = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        odd |= (bits & 0x7FFFFFFF) > LARGE;
    }
    return (int)odd;
}
