#include "thresholds.h"

#include <math.h>
#include <stdlib.h>

enum { CELLS = 16, MOST_CELLS = 8192, GROUP = 256 }; /* cells for each bound, and in all; scores looked at together */

/* The cell of a value may be rounded as it likes, so long as no higher value has a lower one. */
INLINE int32_t cell_of(const struct bounds *bounds, double value)
{
    double cell = (value - bounds->edge) * bounds->scale, last = (double)(bounds->cells - 1);
    cell = cell > 0 ? cell : 0; /* a NaN too */
    return (int32_t)(cell < last ? cell : last);
}

struct bounds bounds_of(const double *values, int64_t number)
{
    struct bounds bounds = {values, number, smaller(CELLS * number, MOST_CELLS), NULL, 0, 0};
    int64_t first = 0, last = number - 1;
    while (first < last && isinf(values[first]))
        first++;
    while (first < last && isinf(values[last]))
        last--;
    double span = values[last] - values[first];
    if (span > 1e-300 && isfinite(span)) { /* else all are in one cell */
        bounds.edge = values[first];
        bounds.scale = (double)bounds.cells / span;
    }
    bounds.below = malloc(((size_t)bounds.cells + 1) * sizeof *bounds.below);
    int64_t cell = 0;
    for (int64_t i = 0; bounds.below && i < number; i++)
        while (cell <= cell_of(&bounds, values[i]))
            bounds.below[cell++] = (int32_t)i;
    while (bounds.below && cell <= bounds.cells)
        bounds.below[cell++] = (int32_t)number;
    return bounds;
}

/* Scores of any type as float64, which holds them all. */
#define FETCH(NAME)                                                                                               \
    for (int i = 0; i < count; i++)                                                                               \
        out[i] = (double)float_##NAME(*(const loose_##NAME *)(scores.address + i * scores.stride));

INLINE void fetch(struct values scores, int count, double *out)
{
    switch (scores.kind) {
    case FLOAT32: FETCH(f32) break;
    case FLOAT64: FETCH(f64) break;
    case FLOAT16: FETCH(f16) break;
    default: FETCH(bf16)
    }
}

INLINE int32_t bounds_below(const struct bounds *bounds, double value, int32_t cell)
{
    int32_t low = bounds->below[cell], high = bounds->below[cell + 1];
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (bounds->values[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

CLONES struct flaws above_many(struct values scores, int64_t count, const struct bounds *bounds, struct limits limits,
                               void *numbers, int wide)
{
    struct flaws flaws = {0, 0};
    for (int64_t begin = 0; begin < count; begin += GROUP) {
        double value[GROUP];
        int32_t cell[GROUP];
        int part = (int)smaller(GROUP, count - begin);
        fetch(scores, part, value);
        for (int i = 0; i < part; i++) {
            cell[i] = cell_of(bounds, value[i]);
            flaws.nans += value[i] != value[i];
            flaws.beyond += (value[i] < limits.low) | (value[i] > limits.high);
        }
        for (int i = 0; i < part; i++) {
            int32_t below = bounds_below(bounds, value[i], cell[i]);
            if (wide)
                ((uint16_t *)numbers)[begin + i] = (uint16_t)below;
            else
                ((uint8_t *)numbers)[begin + i] = (uint8_t)below;
        }
        scores.address += part * scores.stride;
    }
    return flaws;
}
