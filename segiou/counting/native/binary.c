#include "binary.h"

enum { GROUP = 64, AHEAD = 2048 }; /* scores compared together, and bytes that are asked for early */

static void copy_flags(const uint8_t *flags, int64_t count, char *numbers, int wide)
{
    for (int64_t i = 0; i < count; i++)
        if (wide)
            ((uint16_t *)numbers)[i] = flags[i];
        else
            ((uint8_t *)numbers)[i] = flags[i];
}

/* Set a flag to 1 for each score of a group above the threshold, else to 0. Returns whether there may be a flaw: then
   `find` counts them, and takes back the flags of NaNs. */
#define COMPARE(NAME, VALUE, NUMBER)                                                                              \
    INLINE int compare_##NAME(const loose_##NAME *score, struct limits limits, uint8_t *restrict flags)           \
    {                                                                                                             \
        const VALUE threshold = (VALUE)limits.threshold, low = (VALUE)limits.low, high = (VALUE)limits.high;      \
        NUMBER fine = -1; /* a NaN is not, either unordered or, as a key, beyond infinity */                      \
        for (int i = 0; i < GROUP; i++) {                                                                         \
            VALUE value = order_##NAME(score[i]);                                                                 \
            flags[i] = value > threshold;                                                                         \
            fine &= (NUMBER) - ((value >= low) & (value <= high));                                                \
        }                                                                                                         \
        return !fine;                                                                                             \
    }                                                                                                             \
    static void find_##NAME(const loose_##NAME *score, struct limits limits, uint8_t *flags, struct flaws *found) \
    {                                                                                                             \
        for (int i = 0; i < GROUP; i++) {                                                                         \
            VALUE value = order_##NAME(score[i]);                                                                 \
            int nan = is_nan_##NAME(score[i]);                                                                    \
            flags[i] &= !nan;                                                                                     \
            found->nans += nan;                                                                                   \
            found->beyond += !nan && (value < (VALUE)limits.low || value > (VALUE)limits.high);                   \
        }                                                                                                         \
    }                                                                                                             \
    /* Scores that are no whole group of neighbours; those that there are not are 0, which is no flaw. */          \
    static void gather_##NAME(struct values scores, int64_t count, VALUE *group)                                  \
    {                                                                                                             \
        for (int64_t i = 0; i < GROUP; i++)                                                                       \
            group[i] = i < count ? *(const loose_##NAME *)(scores.address + i * scores.stride) : 0;               \
    }                                                                                                             \
    CLONES static struct flaws above_##NAME(struct values scores, int64_t count, struct limits limits,            \
                                            char *numbers, int wide)                                              \
    {                                                                                                             \
        struct flaws flaws = {0, 0};                                                                              \
        for (; count > 0; count -= GROUP) {                                                                       \
            VALUE group[GROUP];                                                                                   \
            uint8_t kept[GROUP], *flags = wide || count < GROUP ? kept : (uint8_t *)numbers;                      \
            const loose_##NAME *score = (const loose_##NAME *)scores.address;                                     \
            if (count < GROUP || scores.stride != sizeof(VALUE)) {                                                \
                gather_##NAME(scores, count, group);                                                              \
                score = group;                                                                                    \
            }                                                                                                     \
            for (size_t line = 0; line < GROUP * sizeof(VALUE); line += 64)                                       \
                __builtin_prefetch(scores.address + AHEAD + line);                                                \
            if (compare_##NAME(score, limits, flags))                                                             \
                find_##NAME(score, limits, flags, &flaws);                                                        \
            if (flags == kept)                                                                                    \
                copy_flags(kept, smaller(GROUP, count), numbers, wide);                                           \
            scores.address += GROUP * scores.stride;                                                              \
            numbers += GROUP << wide;                                                                             \
        }                                                                                                         \
        return flaws;                                                                                             \
    }

COMPARE(f32, float, int32_t) COMPARE(f64, double, int64_t) COMPARE(f16, int16_t, int16_t) COMPARE(bf16, int16_t, int16_t)

struct flaws above_one(struct values scores, int64_t count, struct limits limits, void *numbers, int wide)
{
    switch (scores.kind) {
    case FLOAT32: return above_f32(scores, count, limits, numbers, wide);
    case FLOAT64: return above_f64(scores, count, limits, numbers, wide);
    case FLOAT16: return above_f16(scores, count, limits, numbers, wide);
    default: return above_bf16(scores, count, limits, numbers, wide);
    }
}
