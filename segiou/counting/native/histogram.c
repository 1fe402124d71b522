#include "histogram.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    GROUP = 64,   /* pixels looked at together, a bit for each */
    RUNS = 6,     /* runs of the target in a group up to which it pays to count by runs */
    MISSES = 20,  /* wrong pixels in a group up to which it pays to visit each */
    NOISE = 256   /* pixels counted one by one after a group that has more of either */
};

/* A bit for each of 64 pairs of bytes: are they equal? */
#if defined(__SSE2__)
INLINE uint64_t equal(const uint8_t *left, const uint8_t *right)
{
    uint64_t mask = 0;
    for (int i = 0; i < 4; i++) {
        __m128i a = _mm_loadu_si128((const __m128i *)left + i), b = _mm_loadu_si128((const __m128i *)right + i);
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) << (16 * i);
    }
    return mask;
}
#else
INLINE uint64_t equal(const uint8_t *left, const uint8_t *right)
{
    uint64_t mask = 0;
    for (int byte = 0; byte < 8; byte++) {
        uint8_t bits = 0;
        for (int i = 0; i < 8; i++)
            bits |= (uint8_t)((left[8 * byte + i] == right[8 * byte + i]) << i);
        mask |= (uint64_t)bits << (8 * byte);
    }
    return mask;
}
#endif

INLINE int ones(uint64_t mask) { return __builtin_popcountll(mask); }
INLINE int first(uint64_t mask) { return __builtin_ctzll(mask); }

/* Pairs as single numbers, and the pixels of these one by one. */
#define SINGLY(WIDTH, KEY)                                                                                        \
    INLINE void singly_##WIDTH(const struct histogram *histogram, const uint##WIDTH##_t *restrict rows,           \
                               const uint##WIDTH##_t *restrict columns, int64_t count,                            \
                               uint##KEY##_t *restrict keys)                                                      \
    {                                                                                                             \
        const uint##KEY##_t width = (uint##KEY##_t)histogram->columns;                                            \
        int64_t *bins = histogram->bins, offset = histogram->offset, i = 0;                                       \
        for (int64_t j = 0; j < count; j++)                                                                       \
            keys[j] = (uint##KEY##_t)(rows[j] * width + columns[j]);                                              \
        for (; i + COPIES <= count; i += COPIES) {                                                                \
            bins[keys[i]]++;                                                                                      \
            bins[keys[i + 1] + offset]++;                                                                         \
            bins[keys[i + 2] + 2 * offset]++;                                                                     \
            bins[keys[i + 3] + 3 * offset]++;                                                                     \
        }                                                                                                         \
        for (; i < count; i++)                                                                                    \
            bins[keys[i]]++;                                                                                      \
    }

SINGLY(8, 16) SINGLY(16, 32)

/* Count a group of runs of one row, `starts` a bit for the first pixel of each, and `same` one for each pixel whose
   column is its row: these are counted by runs, the others one by one. */
INLINE void matches_and_misses(const struct histogram *histogram, const uint8_t *rows, const uint8_t *columns,
                               uint64_t starts, uint64_t same)
{
    int64_t width = histogram->columns, *bins = histogram->bins, copy = 0;
    uint64_t misses = ~same;
    while (starts) {
        int begin = first(starts);
        starts &= starts - 1;
        uint64_t before_next = starts ? (starts & -starts) - 1 : ~(uint64_t)0;
        bins[rows[begin] * (width + 1)] += ones(same & before_next);
        same &= ~before_next;
    }
    while (misses) {
        int i = first(misses);
        misses &= misses - 1;
        bins[copy + rows[i] * width + columns[i]]++;
        copy = histogram->offset - copy; /* two copies by turns */
    }
}

/* Count a group of runs of one pair. */
INLINE void runs(const struct histogram *histogram, const uint8_t *rows, const uint8_t *columns, uint64_t starts)
{
    while (starts) {
        int begin = first(starts);
        starts &= starts - 1;
        histogram->bins[rows[begin] * histogram->columns + columns[begin]] += (starts ? first(starts) : GROUP) - begin;
    }
}

/* Count whole groups of up to three rows and columns: four pairs by looking for them, the others from the sums. */
INLINE void few_classes(const struct histogram *histogram, const uint8_t *rows, const uint8_t *columns, int64_t count)
{
    uint8_t numbers[2][GROUP];
    memset(numbers[0], 0, GROUP);
    memset(numbers[1], 1, GROUP);
    int64_t pair[3][3] = {{0}}, row[3] = {0}, column[3] = {0};
    for (int64_t i = 0; i < count; i += GROUP) {
        uint64_t row0 = equal(rows + i, numbers[0]), row1 = equal(rows + i, numbers[1]);
        uint64_t column0 = equal(columns + i, numbers[0]), column1 = equal(columns + i, numbers[1]);
        pair[0][0] += ones(row0 & column0);
        pair[0][1] += ones(row0 & column1);
        pair[1][0] += ones(row1 & column0);
        pair[1][1] += ones(row1 & column1);
        row[0] += ones(row0);
        row[1] += ones(row1);
        column[0] += ones(column0);
        column[1] += ones(column1);
    }
    row[2] = count - row[0] - row[1];
    for (int r = 0; r < 2; r++)
        pair[r][2] = row[r] - pair[r][0] - pair[r][1];
    for (int c = 0; c < 2; c++)
        pair[2][c] = column[c] - pair[0][c] - pair[1][c];
    pair[2][2] = row[2] - pair[2][0] - pair[2][1];
    for (int64_t r = 0; r < histogram->rows; r++)
        for (int64_t c = 0; c < histogram->columns; c++)
            histogram->bins[r * histogram->columns + c] += pair[r][c];
}

INLINE void tally_8(const struct histogram *histogram, const uint8_t *rows, const uint8_t *columns, int64_t count,
                    uint16_t *keys)
{
    int64_t whole = count / GROUP * GROUP, i = 0;
    if (histogram->rows <= 3 && histogram->columns <= 3) {
        few_classes(histogram, rows, columns, whole);
        i = whole;
    }
    while (i < whole) {
        uint64_t starts = ~equal(rows + i, rows + i - 1) | 1, same = equal(rows + i, columns + i);
        if (ones(starts) <= RUNS && ones(same) >= GROUP - MISSES) {
            matches_and_misses(histogram, rows + i, columns + i, starts, same);
            i += GROUP;
            continue;
        }
        starts |= ~equal(columns + i, columns + i - 1);
        if (ones(starts) <= RUNS) {
            runs(histogram, rows + i, columns + i, starts);
            i += GROUP;
            continue;
        }
        int64_t noise = smaller(NOISE, whole - i);
        singly_8(histogram, rows + i, columns + i, noise, keys);
        i += noise;
    }
    singly_8(histogram, rows + i, columns + i, count - i, keys);
}

CLONES void tally(const struct histogram *histogram, const void *rows, const void *columns, int64_t count, int wide,
                  void *keys)
{
    if (wide)
        singly_16(histogram, rows, columns, count, keys);
    else
        tally_8(histogram, rows, columns, count, keys);
}

void flush(const struct histogram *histogram, int64_t *counts)
{
    int64_t number = histogram->rows * histogram->columns;
    for (int64_t i = 0; i < number; i++) {
        int64_t total = 0;
        for (int copy = 0; copy < (histogram->offset ? COPIES : 1); copy++) {
            int64_t *bin = &histogram->bins[i + copy * histogram->offset];
            total += *bin;
            *bin = 0;
        }
        if (total)
            __atomic_fetch_add(&counts[i], total, __ATOMIC_RELAXED);
    }
}
