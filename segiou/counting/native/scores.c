#include "scores.h"

#include "labels.h"

#if defined(__has_builtin)
#define HAS_SHUFFLE __has_builtin(__builtin_shufflevector)
#else
#define HAS_SHUFFLE 0
#endif

enum {
    PLANES = 7,   /* compared in one pass: more streams fight for the same sets of the first-level cache */
    AHEAD = 1024, /* bytes that are asked for early in each plane: a prefetcher loses its way where planes change */
    VECTOR = 64,  /* bytes compared at a time */
    LONG = 16384, /* pixels of a block: long for the memory to stream, short for the second-level cache */
    SHORT = 2048, /* the same, where one pass is enough */
    FAR = 8192,   /* bytes that are asked for early where classes are neighbours */
    LEAST = 64,   /* pixels whose scores are gathered, and the most are 4 times as many */
    CELLS = 4096, /* scores that are gathered: they stay in the first-level cache */
    SIDE = 8      /* of the square blocks that are turned in registers */
};

/* Compare one pixel of plane K with the best so far; plane 0 of class 0 is the best so far. */
#define COMPARE(NAME, VALUE, NUMBER, K)                                                                           \
    if (K < width) {                                                                                              \
        VALUE score = ((const loose_##NAME *)(plane + K * step))[i], value = order_##NAME(score);                 \
        int above = (!K && fresh) || value > top;                                                                 \
        top = above ? value : top;                                                                                \
        chosen = above ? (NUMBER)(label + K) : chosen;                                                            \
        odd[i] |= (NUMBER) - is_nan_##NAME(score);                                                                \
    }

/* Sweep over `width` planes, `step` bytes apart, the first of which is that of class `label`: `best` and `winner` have
   the best so far of `count` pixels, a whole vector at least. `odd` has a number for each lane of a vector, which a NaN
   makes other than 0. The last vector may overlap the one before: a plane that is compared twice changes nothing. */
#define SWEEP(NAME, VALUE, NUMBER)                                                                                \
    INLINE void pixels_##NAME(const char *plane, int64_t step, int width, int64_t label, int fresh,               \
                              VALUE *restrict best, NUMBER *restrict winner, NUMBER *restrict odd)                \
    {                                                                                                             \
        for (int i = 0; i < VECTOR / (int)sizeof(VALUE); i++) {                                                   \
            VALUE top = fresh ? 0 : best[i];                                                                      \
            NUMBER chosen = fresh ? 0 : winner[i];                                                                \
            COMPARE(NAME, VALUE, NUMBER, 0)                                                                       \
            COMPARE(NAME, VALUE, NUMBER, 1)                                                                       \
            COMPARE(NAME, VALUE, NUMBER, 2)                                                                       \
            COMPARE(NAME, VALUE, NUMBER, 3)                                                                       \
            COMPARE(NAME, VALUE, NUMBER, 4)                                                                       \
            COMPARE(NAME, VALUE, NUMBER, 5)                                                                       \
            COMPARE(NAME, VALUE, NUMBER, 6)                                                                       \
            best[i] = top;                                                                                        \
            winner[i] = chosen;                                                                                   \
        }                                                                                                         \
    }                                                                                                             \
    INLINE void sweep_##NAME(const char *plane, int64_t step, int width, int64_t label, int fresh, int64_t count, \
                             VALUE *best, NUMBER *winner, NUMBER *odd)                                            \
    {                                                                                                             \
        const int64_t lanes = VECTOR / sizeof(VALUE);                                                             \
        for (int64_t begin = 0; begin < count; begin += lanes) {                                                  \
            int64_t i = smaller(begin, count - lanes);                                                            \
            const char *here = plane + i * (int64_t)sizeof(VALUE);                                                \
            for (int k = 0; k < width; k++)                                                                       \
                __builtin_prefetch(here + k * step + AHEAD);                                                      \
            pixels_##NAME(here, step, width, label, fresh, best + i, winner + i, odd);                            \
        }                                                                                                         \
    }                                                                                                             \
    CLONES static int planes_##NAME(const char *plane, int64_t step, int64_t classes, int64_t count, VALUE *best, \
                                    NUMBER *winner)                                                               \
    {                                                                                                             \
        NUMBER odd[VECTOR / sizeof(VALUE)] = {0}, any = 0;                                                        \
        int64_t passes = (classes + PLANES - 1) / PLANES, label = 0;                                              \
        for (int64_t pass = 0; pass < passes; pass++) {                                                           \
            int64_t width = (classes - label + passes - pass - 1) / (passes - pass);                              \
            const char *first = plane + label * step;                                                             \
            switch (width + (pass ? PLANES : 0)) {                                                                \
            case 1: sweep_##NAME(first, step, 1, 0, 1, count, best, winner, odd); break;                          \
            case 2: sweep_##NAME(first, step, 2, 0, 1, count, best, winner, odd); break;                          \
            case 3: sweep_##NAME(first, step, 3, 0, 1, count, best, winner, odd); break;                          \
            case 4: sweep_##NAME(first, step, 4, 0, 1, count, best, winner, odd); break;                          \
            case 5: sweep_##NAME(first, step, 5, 0, 1, count, best, winner, odd); break;                          \
            case 6: sweep_##NAME(first, step, 6, 0, 1, count, best, winner, odd); break;                          \
            case 7: sweep_##NAME(first, step, 7, 0, 1, count, best, winner, odd); break;                          \
            case 11: sweep_##NAME(first, step, 4, label, 0, count, best, winner, odd); break;                     \
            case 12: sweep_##NAME(first, step, 5, label, 0, count, best, winner, odd); break;                     \
            case 13: sweep_##NAME(first, step, 6, label, 0, count, best, winner, odd); break;                     \
            case 14: sweep_##NAME(first, step, 7, label, 0, count, best, winner, odd); break;                     \
            }                                                                                                     \
            label += width;                                                                                       \
        }                                                                                                         \
        for (size_t i = 0; i < VECTOR / sizeof(VALUE); i++)                                                       \
            any |= odd[i];                                                                                        \
        return any != 0;                                                                                          \
    }

SWEEP(f32, float, int32_t) SWEEP(f64, double, int64_t) SWEEP(f16, int16_t, int16_t) SWEEP(bf16, int16_t, int16_t)

/* Winners of planes of any type, in numbers as wide as a score. */
static int sweep_planes(enum kind kind, const char *plane, int64_t step, int64_t classes, int64_t count, char *best,
                        char *winner)
{
    switch (kind) {
    case FLOAT32: return planes_f32(plane, step, classes, count, (float *)best, (int32_t *)winner);
    case FLOAT64: return planes_f64(plane, step, classes, count, (double *)best, (int64_t *)winner);
    case FLOAT16: return planes_f16(plane, step, classes, count, (int16_t *)best, (int16_t *)winner);
    default: return planes_bf16(plane, step, classes, count, (int16_t *)best, (int16_t *)winner);
    }
}

/* Lanes of two rows that change places where a block is turned: those with and without bit 1, 2 or 4. */
#define UPPER_1 0, 8, 2, 10, 4, 12, 6, 14
#define LOWER_1 1, 9, 3, 11, 5, 13, 7, 15
#define UPPER_2 0, 1, 8, 9, 4, 5, 12, 13
#define LOWER_2 2, 3, 10, 11, 6, 7, 14, 15
#define UPPER_4 0, 1, 2, 3, 8, 9, 10, 11
#define LOWER_4 4, 5, 6, 7, 12, 13, 14, 15
#if HAS_SHUFFLE
#define EXCHANGE(BIT, R)                                                                                          \
    {                                                                                                             \
        row upper = __builtin_shufflevector(rows[R], rows[R + BIT], UPPER_##BIT);                                 \
        rows[R + BIT] = __builtin_shufflevector(rows[R], rows[R + BIT], LOWER_##BIT);                             \
        rows[R] = upper;                                                                                          \
    }
#else
#define EXCHANGE(BIT, R)                                                                                          \
    for (int lane = 0; lane < SIDE; lane++)                                                                       \
        if (!(lane & BIT)) {                                                                                      \
            row kept = rows[R];                                                                                   \
            rows[R][lane + BIT] = rows[R + BIT][lane];                                                            \
            rows[R + BIT][lane] = kept[lane + BIT];                                                               \
        }
#endif

/* Copy scores of pixels `stride` apart, of which those of each class are neighbours, into planes `step` apart; where
   classes are neighbours, in square blocks that are turned in registers. */
#define GATHER(BITS)                                                                                              \
    INLINE void turn_##BITS(const char *from, int64_t stride, char *to, int64_t step)                             \
    {                                                                                                             \
        typedef uint##BITS##_t row __attribute__((vector_size(SIDE * BITS / 8)));                                 \
        typedef row LOOSE loose_row;                                                                              \
        row rows[SIDE];                                                                                           \
        _Pragma("GCC unroll 8") for (int r = 0; r < SIDE; r++)                                                    \
        {                                                                                                         \
            rows[r] = *(const loose_row *)(from + r * stride);                                                    \
            __builtin_prefetch(from + r * stride + FAR);                                                          \
        }                                                                                                         \
        EXCHANGE(1, 0) EXCHANGE(1, 2) EXCHANGE(1, 4) EXCHANGE(1, 6)                                               \
        EXCHANGE(2, 0) EXCHANGE(2, 1) EXCHANGE(2, 4) EXCHANGE(2, 5)                                               \
        EXCHANGE(4, 0) EXCHANGE(4, 1) EXCHANGE(4, 2) EXCHANGE(4, 3)                                               \
        _Pragma("GCC unroll 8") for (int r = 0; r < SIDE; r++)                                                    \
            *(loose_row *)(to + r * step) = rows[r];                                                              \
    }                                                                                                             \
    CLONES static void gather_##BITS(const struct scores *scores, int64_t count, char *planes, int64_t step)      \
    {                                                                                                             \
        int64_t classes = scores->classes, size = BITS / 8, stride = scores->stride;                              \
        int64_t turned = scores->class_stride == size && classes >= SIDE ? count / SIDE * SIDE : 0;     \
        for (int64_t i = 0; i < turned; i += SIDE)                                                                \
            for (int64_t block = 0; block < classes; block += SIDE) {                                             \
                int64_t label = smaller(block, classes - SIDE); /* the last may overlap the one before */         \
                turn_##BITS(scores->address + i * stride + label * size, stride, planes + label * step + i * size, step); \
            }                                                                                                     \
        for (int64_t i = turned; i < count; i++)                                                                  \
            for (int64_t label = 0; label < classes; label++)                                                     \
                memcpy(planes + label * step + i * size,                                                          \
                       scores->address + i * stride + label * scores->class_stride, BITS / 8);                    \
    }

GATHER(16) GATHER(32) GATHER(64)

static void gather(const struct scores *scores, int64_t count, char *planes, int64_t step)
{
    switch (size_of(scores->kind)) {
    case 2: gather_16(scores, count, planes, step); break;
    case 4: gather_32(scores, count, planes, step); break;
    default: gather_64(scores, count, planes, step);
    }
}

static int is_nan(const char *address, enum kind kind)
{
    switch (kind) {
    case FLOAT32: return is_nan_f32(*(const loose_f32 *)address);
    case FLOAT64: return is_nan_f64(*(const loose_f64 *)address);
    case FLOAT16: return is_nan_f16(*(const loose_f16 *)address);
    default: return is_nan_bf16(*(const loose_bf16 *)address);
    }
}

/* Give the pixels that hold a NaN to their first NaN; returns how many there are. */
static int64_t mark_nans(const struct scores *scores, int64_t count, void *numbers, int wide)
{
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t label = 0; label < scores->classes; label++)
            if (is_nan(scores->address + i * scores->stride + label * scores->class_stride, scores->kind)) {
                if (wide)
                    ((uint16_t *)numbers)[i] = (uint16_t)label;
                else
                    ((uint8_t *)numbers)[i] = (uint8_t)label;
                found++;
                break;
            }
    return found;
}

/* Pixels whose classes are compared together, of `count`. */
static int64_t block_in(const struct scores *scores, int64_t count)
{
    int64_t most = scores->classes <= PLANES ? SHORT : LONG;
    if (scores->stride != size_of(scores->kind))
        most = larger(LEAST, smaller(4 * LEAST, CELLS / scores->classes / LEAST * LEAST));
    return smaller(most, (count + 63) / 64 * 64);
}

/* Pixels of these whose scores are gathered: all, or where they are neighbours those of a row shorter than a vector. */
static int64_t gathered_in(const struct scores *scores, int64_t count)
{
    return scores->stride == size_of(scores->kind) ? VECTOR / 2 : block_in(scores, count);
}

size_t winners_room(const struct scores *scores, int64_t count)
{
    int64_t scores_kept = 2 * block_in(scores, count) + gathered_in(scores, count) * scores->classes;
    return (size_t)(size_of(scores->kind) * scores_kept);
}

int64_t winners(const struct scores *scores, int64_t count, char *room, void *numbers, int wide)
{
    struct scores here = *scores;
    int64_t size = size_of(here.kind), block = block_in(scores, count), nans = 0;
    int64_t step = size * gathered_in(scores, count);
    char *winner = room + block * size, *area = winner + block * size;
    enum kind kind = size == 2 ? UINT16 : size == 4 ? UINT32 : UINT64;
    for (int64_t begin = 0; begin < count; begin += block) {
        int64_t part = smaller(block, count - begin);
        char *out = (char *)numbers + (begin << wide);
        int odd;
        if (here.stride == size && part * size >= VECTOR) {
            odd = sweep_planes(here.kind, here.address, here.class_stride, here.classes, part, room, winner);
        } else { /* whole vectors, the last pixels of which may be anything */
            gather(&here, part, area, step);
            odd = sweep_planes(here.kind, area, step, here.classes, (part + 31) & -32, room, winner);
        }
        narrow((struct integers){winner, kind, size}, part, here.classes, out, wide);
        nans += odd ? mark_nans(&here, part, out, wide) : 0;
        here.address += part * here.stride;
    }
    return nans;
}
