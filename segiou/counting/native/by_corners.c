#include "fetch.h"
#include "upsample.h"

/* Winners of target rows where torch weighs the four source pixels around a target pixel at once, as it does for
   channels_last scores. Target pixels between the same four are a cell: first it is found which classes can win in it,
   many classes at a time; then these are compared, many pixels at a time. */

enum {
    CELL_ROWS = 16, /* most target rows found together */
    LANES = 16,     /* pixels compared at a time: rows of 2, 4, 8 or 16 */
    WORD = 8        /* classes that torch computes together, in another order than those left over */
};

/* The scores of the four source pixels, all classes of one beside each other. */
struct corners {
    const loose_f32 *at[4];
};

/* Of one cell: for every class the largest corner, and whether it can win; the classes that can, how many these are,
   and how many of them torch computes in whole words; and whether a score is NaN, infinite or very large. */
struct cell {
    float *highest;
    uint8_t *can_win;
    int32_t *labels;
    int64_t number, whole;
    int odd;
};

/* Where a group of pixels of a cell is written, and the weights of its rows and columns. */
struct group {
    const float *above, *below, *left, *right;
    uint8_t *numbers;
    int64_t row_bytes, rows, columns;
    int wide;
};

static int64_t padded(int64_t classes) { return (classes + LANES) / LANES * LANES; }

struct layout corners_layout(const struct resize *resize)
{
    int64_t classes = resize->classes;
    return (struct layout){resize->width, CELL_ROWS, 2 * resize->columns * classes + 3 * padded(classes)};
}

/* The lowest bound of `lanes` classes: what some class reaches everywhere in the cell. */
INLINE void bound_lanes(const struct corners *corners, int64_t label, int lanes, float *restrict highest,
                        float *restrict reached, float *restrict odd)
{
    for (int i = 0; i < lanes; i++) {
        float a = corners->at[0][label + i], b = corners->at[1][label + i];
        float c = corners->at[2][label + i], d = corners->at[3][label + i];
        float ab = a > b ? a : b, cd = c > d ? c : d, low_ab = a < b ? a : b, low_cd = c < d ? c : d;
        float low = low_ab < low_cd ? low_ab : low_cd;
        highest[label + i] = ab > cd ? ab : cd;
        reached[i] = low > reached[i] ? low : reached[i];
        odd[i] += ((a + b) + (c + d)) * 0; /* NaN, where it is not finite */
    }
}

/* Find the classes that can win: rounding moves a mean of four by less than 2^-20 of the largest, or by a few of the
   smallest numbers; a class that stays further than that below another everywhere cannot. */
CLONES static void find_candidates(const struct corners *corners, int64_t classes, struct cell *cell)
{
    float reached[LANES], odd[LANES], best = -__builtin_inff(), sum = 0;
    for (int i = 0; i < LANES; i++)
        reached[i] = best, odd[i] = 0;
    int64_t label = 0;
    for (; label + LANES <= classes; label += LANES)
        bound_lanes(corners, label, LANES, cell->highest, reached, odd);
    for (; label + 4 <= classes; label += 4)
        bound_lanes(corners, label, 4, cell->highest, reached, odd);
    for (; label < classes; label++)
        bound_lanes(corners, label, 1, cell->highest, reached, odd);
    for (int lanes = LANES / 2; lanes; lanes /= 2)
        for (int i = 0; i < lanes; i++) {
            reached[i] = reached[i] > reached[i + lanes] ? reached[i] : reached[i + lanes];
            odd[i] += odd[i + lanes];
        }
    best = reached[0], sum = odd[0];
    float least = best - (best < 0 ? -best : best) * 0x1p-18f - 1e-37f;
    cell->odd = sum != sum;
    for (int64_t i = 0; i < classes; i++)
        cell->can_win[i] = (cell->highest[i] >= least) | cell->odd;
    cell->number = 0;
    for (label = 0; label < classes; label += 8) { /* behind the last class nothing can win */
        uint64_t any;
        memcpy(&any, cell->can_win + label, sizeof any);
        for (int i = 0; any && i < 8; i++) {
            cell->labels[cell->number] = (int32_t)label + i;
            cell->number += cell->can_win[label + i];
        }
        if (label + WORD <= classes)
            cell->whole = cell->number;
    }
}

/* The weighted mean of four, in torch's two orders. */
INLINE float mean(const float score[4], const float share[4][LANES], int i, int in_whole_word)
{
    if (in_whole_word)
        return __builtin_fmaf(score[0], share[0][i],
                              __builtin_fmaf(score[1], share[1][i],
                                             __builtin_fmaf(score[3], share[3][i], score[2] * share[2][i])));
    return __builtin_fmaf(score[3], share[3][i],
                          __builtin_fmaf(score[2], share[2][i],
                                         __builtin_fmaf(score[0], share[0][i], score[1] * share[1][i])));
}

/* Compare some candidates with the best so far; with `odd` a NaN is above all. */
INLINE void compare_some(const struct corners *corners, const int32_t *labels, int number, const float share[4][LANES],
                         float *restrict top, int32_t *restrict winner, int whole, int odd)
{
#pragma GCC ivdep
    for (int i = 0; i < LANES; i++) {
        float best = top[i];
        int32_t label = winner[i];
#pragma GCC unroll 4
        for (int k = 0; k < number; k++) {
            float score[4] = {corners->at[0][labels[k]], corners->at[1][labels[k]], corners->at[2][labels[k]],
                              corners->at[3][labels[k]]};
            float value = mean(score, share, i, whole);
            int wins = odd ? !(value <= best) & (best == best) : value > best;
            label = wins ? labels[k] : label;
            best = wins ? value : best;
        }
        top[i] = best;
        winner[i] = label;
    }
}

/* Compare candidates `from` to `to`, four at a time. */
INLINE void compare(const struct corners *corners, const int32_t *labels, int64_t from, int64_t to,
                    const float share[4][LANES], float *restrict top, int32_t *restrict winner, int whole, int odd)
{
    for (; from + 4 <= to; from += 4)
        compare_some(corners, labels + from, 4, share, top, winner, whole, odd);
    for (; from < to; from++)
        compare_some(corners, labels + from, 1, share, top, winner, whole, odd);
}

/* Write the winners of up to LANES pixels, in rows of `length`; what is behind the cell's columns is written again. */
INLINE void write(const struct group *group, const int32_t winner[LANES], int length)
{
    for (int row = 0; row < smaller(LANES / length, group->rows); row++) {
        uint8_t *numbers = group->numbers + row * group->row_bytes;
        if (group->wide)
            for (int i = 0; i < length; i++)
                ((uint16_t *)numbers)[i] = (uint16_t)winner[row * length + i];
        else
            for (int i = 0; i < length; i++)
                numbers[i] = (uint8_t)winner[row * length + i];
    }
}

/* Decide a group of pixels in rows of `length`. Returns how many hold a NaN. */
INLINE int64_t decide(const struct corners *corners, const struct cell *cell, const struct group *group, int length)
{
    float share[4][LANES], top[LANES];
    int32_t winner[LANES];
    for (int row = 0; row < LANES / length; row++)
        for (int i = 0; i < length; i++) {
            share[0][row * length + i] = group->above[row] * group->left[i];
            share[1][row * length + i] = group->above[row] * group->right[i];
            share[2][row * length + i] = group->below[row] * group->left[i];
            share[3][row * length + i] = group->below[row] * group->right[i];
        }
    for (int i = 0; i < LANES; i++)
        top[i] = -__builtin_inff(), winner[i] = cell->number == 1 ? cell->labels[0] : 0;
    if (cell->odd) {
        compare(corners, cell->labels, 0, cell->whole, share, top, winner, 1, 1);
        compare(corners, cell->labels, cell->whole, cell->number, share, top, winner, 0, 1);
    } else if (cell->number > 1) {
        compare(corners, cell->labels, 0, cell->whole, share, top, winner, 1, 0);
        compare(corners, cell->labels, cell->whole, cell->number, share, top, winner, 0, 0);
    }
    write(group, winner, length);
    int64_t nans = 0;
    for (int row = 0; cell->odd && row < smaller(LANES / length, group->rows); row++)
        for (int i = 0; i < smaller(length, group->columns); i++)
            nans += top[row * length + i] != top[row * length + i];
    return nans;
}

CLONES static int64_t decide_group(const struct corners *corners, const struct cell *cell, const struct group *group,
                                   int length)
{
    switch (length) {
    case 2: return decide(corners, cell, group, 2);
    case 4: return decide(corners, cell, group, 4);
    case 8: return decide(corners, cell, group, 8);
    default: return decide(corners, cell, group, 16);
    }
}

/* The pixels that a row of a cell has about, as one of the lengths. */
static int length_of(const struct resize *resize)
{
    for (int length = 2; length < LANES; length *= 2)
        if (10 * resize->width <= 11 * length * resize->columns)
            return length;
    return LANES;
}

/* A source row with all classes of a pixel beside each other: where it is, if it is so, else copied into a slot.
   `pixel` becomes the bytes from pixel to pixel. */
static const char *row_of(const struct resize *resize, int64_t image, int64_t row, int64_t other, struct desk *desk,
                          float *slots, int64_t *pixel)
{
    const char *address = resize->scores + image * resize->image_step + row * resize->row_step;
    int64_t classes = resize->classes, size = resize->class_step;
    *pixel = resize->step;
    if (resize->kind == FLOAT32 && size == sizeof(float))
        return address;
    *pixel = classes * (int64_t)sizeof(float);
    int bring, slot = slot_of(desk, row, other, &bring);
    float *out = slots + slot * resize->columns * classes;
    if (bring && resize->step == size * classes)
        fetch(address, resize->kind, size, resize->columns * classes, out);
    else if (bring)
        for (int64_t x = 0; x < resize->columns; x++)
            fetch(address + x * resize->step, resize->kind, size, classes, out + x * classes);
    return (const char *)out;
}

int64_t corners_winners(const struct resize *resize, const struct stretch *stretch, struct desk *desk)
{
    const struct taps *across = &resize->across, *down = &resize->down;
    int64_t classes = resize->classes, pixel, nans = 0, bytes = desk->wide ? 2 : 1;
    struct cell cell = {.highest = desk->area, .labels = (int32_t *)(desk->area + padded(classes)),
                        .can_win = (uint8_t *)(desk->area + 2 * padded(classes))};
    memset(cell.can_win, 0, (size_t)padded(classes));
    float *slots = desk->area + 3 * padded(classes);
    int64_t upper = down->first[stretch->y], lower = down->second[stretch->y];
    const char *above = row_of(resize, stretch->image, upper, lower, desk, slots, &pixel);
    const char *below = row_of(resize, stretch->image, lower, upper, desk, slots, &pixel);
    int length = length_of(resize);
    for (int64_t x = 0; x < resize->width;) {
        int64_t first = pixel * across->first[x], second = pixel * across->second[x];
        struct corners corners = {{(const loose_f32 *)(above + first), (const loose_f32 *)(above + second),
                                   (const loose_f32 *)(below + first), (const loose_f32 *)(below + second)}};
        find_candidates(&corners, classes, &cell);
        for (int64_t end = across->end[x]; x < end; x += smaller(length, end - x))
            for (int64_t row = 0; row < stretch->rows; row += LANES / length) {
                int64_t y = stretch->y + row;
                struct group group = {down->weight + y, down->other + y, across->weight + x, across->other + x,
                                      desk->numbers + row * desk->row_bytes + x * bytes, desk->row_bytes,
                                      stretch->rows - row, end - x, desk->wide};
                nans += decide_group(&corners, &cell, &group, length);
            }
    }
    return nans;
}
