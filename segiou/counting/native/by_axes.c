#include "fetch.h"
#include "upsample.h"

/* Winners of target rows where torch brings one axis after the other to the target's size. A thread holds two source
   rows of every class, already as wide as the target: the next target rows that need another replace one of them. */

enum {
    CACHE = 384 * 1024, /* bytes of the two rows of every class: less than half of a usual second-level cache */
    ROWS = 4,           /* most target rows found together: they share the loads of scores */
    TOGETHER = 4,       /* classes widened together: they share the loads of weights and positions */
    BLOCK = 256         /* pixels whose best scores stay in the first-level cache */
};

/* The best scores so far, and whose they are. */
struct best {
    float score[ROWS][BLOCK];
    int32_t label[ROWS][BLOCK];
};

/* Scores of two rows of some classes, `pitch` numbers from class to class, and what the rows weigh. */
struct pair {
    const float *upper, *lower;
    int64_t pitch;
    const float *weight, *other;
};

/* Not a power of two, for then the rows of all classes would fight for the same places in the cache. */
static int64_t pitch_of(int64_t strip) { return strip + 2 * MARGIN; }

struct layout axes_layout(const struct resize *resize)
{
    int64_t most = larger(64, CACHE / (8 * resize->classes) / 64 * 64), number = (resize->width + most - 1) / most;
    int64_t strip = (resize->width + 64 * number - 1) / (64 * number) * 64;
    int64_t floats = 2 * resize->classes * pitch_of(strip) + TOGETHER * resize->columns + sizeof(struct best) / 4;
    return (struct layout){strip, ROWS, floats};
}

/* Widen rows of `classes` classes: between two source pixels there is one run of target pixels, and what is written
   behind it the next one overwrites. `lanes` pixels are written at a time. */
INLINE void widen(const struct taps *taps, int64_t left, int64_t count, const float *source, int64_t source_pitch,
                  float *restrict wide, int64_t pitch, int classes, int lanes)
{
    for (int64_t x = left, end; x < left + count; x = end) {
        int64_t first = taps->first[x], second = taps->second[x];
        end = smaller(taps->end[x], left + count);
        for (int64_t start = x; start < end; start += lanes)
            for (int k = 0; k < classes; k++) {
                float low = source[first + k * source_pitch], high = source[second + k * source_pitch];
                float *out = wide + start - left + k * pitch;
                for (int i = 0; i < lanes; i++)
                    out[i] = __builtin_fmaf(low, taps->weight[start + i], high * taps->other[start + i]);
            }
    }
}

#define WIDEN(CLASSES, LANES) widen(taps, left, count, source, source_pitch, wide, pitch, CLASSES, LANES)

CLONES static void widen_classes(const struct taps *taps, int64_t left, int64_t count, const float *source,
                                 int64_t source_pitch, float *wide, int64_t pitch, int64_t classes, int lanes)
{
    if (classes == TOGETHER && lanes == 4)
        WIDEN(TOGETHER, 4);
    else if (classes == TOGETHER)
        WIDEN(TOGETHER, 8);
    else
        for (; classes; classes--, source += source_pitch, wide += pitch)
            WIDEN(1, 8);
}

/* Bring a source row of every class into a slot, as wide as the strip. Returns whether there is an odd score. */
static int bring_row(const struct resize *resize, const struct stretch *stretch, int64_t row, float *slot, float *room)
{
    const struct taps *taps = &resize->across;
    int64_t begin = taps->first[stretch->left], columns = taps->second[stretch->left + stretch->count - 1] + 1 - begin;
    int64_t pitch = pitch_of(axes_layout(resize).strip);
    int lanes = resize->width <= 4 * resize->columns ? 4 : 8, odd = 0;
    const char *address = resize->scores + stretch->image * resize->image_step + row * resize->row_step;
    for (int64_t label = 0, classes; label < resize->classes; label += classes) {
        classes = smaller(TOGETHER, resize->classes - label);
        for (int64_t k = 0; k < classes; k++)
            odd |= fetch(address + (label + k) * resize->class_step + begin * resize->step, resize->kind, resize->step,
                         columns, room + k * columns);
        widen_classes(taps, stretch->left, stretch->count, room - begin, columns, slot + label * pitch, pitch, classes,
                      lanes);
    }
    return odd;
}

/* Compare `classes` classes from `label` on with the best so far, in `rows` rows of `count` pixels from `x` on. With
   `odd` a NaN is above all. The loops over classes and rows are short and unrolled. */
INLINE void compare(const struct pair *pair, int64_t x, int64_t label, struct best *restrict best, int64_t count,
                    int rows, int classes, int odd)
{
    const float *upper = pair->upper + label * pair->pitch + x, *lower = pair->lower + label * pair->pitch + x;
    int64_t pitch = pair->pitch;
    float above[ROWS], below[ROWS];
    for (int row = 0; row < rows; row++)
        above[row] = pair->weight[row], below[row] = pair->other[row];
#pragma GCC ivdep
    for (int64_t i = 0; i < count; i++) {
        float top[ROWS];
        int32_t winner[ROWS];
#pragma GCC unroll 4
        for (int row = 0; row < rows; row++)
            top[row] = best->score[row][i], winner[row] = best->label[row][i];
#pragma GCC unroll 8
        for (int k = 0; k < classes; k++) {
            float high = upper[k * pitch + i], low = lower[k * pitch + i];
#pragma GCC unroll 4
            for (int row = 0; row < rows; row++) {
                float value = __builtin_fmaf(high, above[row], low * below[row]);
                int wins = odd ? !(value <= top[row]) & (top[row] == top[row]) : value > top[row];
                winner[row] = wins ? (int32_t)label + k : winner[row];
                top[row] = wins ? value : top[row];
            }
        }
#pragma GCC unroll 4
        for (int row = 0; row < rows; row++)
            best->score[row][i] = top[row], best->label[row][i] = winner[row];
    }
}

INLINE void compare_all(const struct pair *pair, int64_t x, int64_t classes, struct best *best, int64_t count, int rows,
                        int odd)
{
    int64_t label = 0;
    for (; label + 4 <= classes; label += 4)
        compare(pair, x, label, best, count, rows, 4, odd);
    if (classes - label == 3)
        compare(pair, x, label, best, count, rows, 3, odd);
    else if (classes - label == 2)
        compare(pair, x, label, best, count, rows, 2, odd);
    else if (classes - label == 1)
        compare(pair, x, label, best, count, rows, 1, odd);
}

#define COMPARE(NUMBER)                                                                                           \
    if (odd)                                                                                                      \
        compare_all(pair, x, classes, best, count, NUMBER, 1);                                                    \
    else                                                                                                          \
        compare_all(pair, x, classes, best, count, NUMBER, 0);

CLONES static void find_best(const struct pair *pair, int64_t x, int64_t classes, struct best *best, int64_t count,
                             int64_t rows, int odd)
{
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < count; i++)
            best->score[row][i] = -__builtin_inff(), best->label[row][i] = 0;
    switch (rows) {
    case 1: COMPARE(1) break;
    case 2: COMPARE(2) break;
    case 3: COMPARE(3) break;
    default: COMPARE(4) break;
    }
}

/* Write the winners of some pixels of every row. Returns how many hold a NaN. */
CLONES static int64_t write_winners(const struct best *best, int64_t x, int64_t count, int64_t rows,
                                    const struct desk *desk, int odd)
{
    int64_t nans = 0;
    for (int64_t row = 0; row < rows; row++) {
        uint8_t *narrow = desk->numbers + row * desk->row_bytes + x;
        uint16_t *wide = (uint16_t *)(desk->numbers + row * desk->row_bytes) + x;
        for (int64_t i = 0; i < count && !desk->wide; i++)
            narrow[i] = (uint8_t)best->label[row][i];
        for (int64_t i = 0; i < count && desk->wide; i++)
            wide[i] = (uint16_t)best->label[row][i];
        for (int64_t i = 0; i < count && odd; i++)
            nans += best->score[row][i] != best->score[row][i];
    }
    return nans;
}

int64_t axes_winners(const struct resize *resize, const struct stretch *stretch, struct desk *desk)
{
    int64_t pitch = pitch_of(axes_layout(resize).strip), nans = 0;
    int64_t rows[2] = {resize->down.first[stretch->y], resize->down.second[stretch->y]};
    struct best *best = (struct best *)desk->area;
    float *slots = desk->area + sizeof *best / 4, *found[2];
    int odd = 0;
    for (int i = 0; i < 2; i++) {
        int bring, slot = slot_of(desk, rows[i], rows[1 - i], &bring);
        found[i] = slots + slot * resize->classes * pitch;
        if (bring)
            desk->odd[slot] = bring_row(resize, stretch, rows[i], found[i], slots + 2 * resize->classes * pitch);
        odd |= desk->odd[slot];
    }
    struct pair pair = {found[0], found[1], pitch, resize->down.weight + stretch->y, resize->down.other + stretch->y};
    for (int64_t x = 0; x < stretch->count; x += BLOCK) {
        int64_t count = smaller(BLOCK, stretch->count - x);
        find_best(&pair, x, resize->classes, best, count, stretch->rows, odd);
        nans += write_winners(best, x, count, stretch->rows, desk, odd);
    }
    return nans;
}
