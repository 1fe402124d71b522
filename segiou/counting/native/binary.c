#include "binary.h"

enum { GROUP = 64, AHEAD = 2048 }; /* scores compared together, and bytes that are asked for early */

/* Set `flags` to 1 above the threshold, else 0. Returns whether there may be a flaw; `find` then looks for them. */
#define COMPARE(NAME, VALUE)                                                                                      \
    INLINE int compare_##NAME(const char *address, int64_t stride, int count, struct limits limits, uint8_t *flags) \
    {                                                                                                             \
        const VALUE threshold = (VALUE)limits.threshold, low = (VALUE)limits.low, high = (VALUE)limits.high;      \
        VALUE odd = 0;                                                                                            \
        for (int i = 0; i < count; i++) {                                                                         \
            VALUE score = *(const loose_##NAME *)(address + i * stride), value = order_##NAME(score);             \
            flags[i] = value > threshold;                                                                         \
            odd = value < low || value > high || is_nan_##NAME(score) ? 1 : odd;                                  \
        }                                                                                                         \
        return odd != 0;                                                                                          \
    }                                                                                                             \
    static struct flaws find_##NAME(const char *address, int64_t stride, int count, struct limits limits,         \
                                    uint8_t *flags)                                                               \
    {                                                                                                             \
        struct flaws found = {0, 0};                                                                              \
        for (int i = 0; i < count; i++) {                                                                         \
            VALUE score = *(const loose_##NAME *)(address + i * stride), value = order_##NAME(score);             \
            int nan = is_nan_##NAME(score);                                                                       \
            flags[i] &= !nan;                                                                                     \
            found.nans += nan;                                                                                    \
            found.beyond += !nan && (value < (VALUE)limits.low || value > (VALUE)limits.high);                    \
        }                                                                                                         \
        return found;                                                                                             \
    }                                                                                                             \
    CLONES static struct flaws above_##NAME(struct values scores, int64_t count, struct limits limits,            \
                                            char *numbers, int wide)                                              \
    {                                                                                                             \
        struct flaws flaws = {0, 0};                                                                              \
        for (int64_t i = 0; i < count; i += GROUP) {                                                              \
            uint8_t flags[GROUP];                                                                                 \
            const char *address = scores.address + i * scores.stride;                                             \
            int part = (int)smaller(GROUP, count - i), odd;                                                       \
            for (size_t line = 0; line < GROUP * sizeof(VALUE); line += 64)                                       \
                __builtin_prefetch(address + AHEAD + line);                                                       \
            if (part == GROUP && scores.stride == sizeof(VALUE))                                                  \
                odd = compare_##NAME(address, sizeof(VALUE), GROUP, limits, flags);                               \
            else                                                                                                  \
                odd = compare_##NAME(address, scores.stride, part, limits, flags);                                \
            if (odd) {                                                                                            \
                struct flaws more = find_##NAME(address, scores.stride, part, limits, flags);                     \
                flaws.nans += more.nans;                                                                          \
                flaws.beyond += more.beyond;                                                                      \
            }                                                                                                     \
            for (int j = 0; j < part; j++)                                                                        \
                if (wide)                                                                                         \
                    ((uint16_t *)numbers)[i + j] = flags[j];                                                      \
                else                                                                                              \
                    ((uint8_t *)numbers)[i + j] = flags[j];                                                       \
        }                                                                                                         \
        return flaws;                                                                                             \
    }

COMPARE(f32, float) COMPARE(f64, double) COMPARE(f16, int16_t) COMPARE(bf16, int16_t)

struct flaws above_one(struct values scores, int64_t count, struct limits limits, void *numbers, int wide)
{
    switch (scores.kind) {
    case FLOAT32: return above_f32(scores, count, limits, numbers, wide);
    case FLOAT64: return above_f64(scores, count, limits, numbers, wide);
    case FLOAT16: return above_f16(scores, count, limits, numbers, wide);
    default: return above_bf16(scores, count, limits, numbers, wide);
    }
}
