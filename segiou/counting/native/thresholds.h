/* One score per pixel against many thresholds. */
#ifndef SEGIOU_THRESHOLDS_H
#define SEGIOU_THRESHOLDS_H

#include "binary.h"

enum { MOST_BOUNDS = 65535 }; /* numbers have 16 bits */

/* Rising bounds, infinite ones too. Their span is cut into even cells, and `below` knows how many bounds are below
   each: what is left to search are the few in a score's own cell. */
struct bounds {
    const double *values;
    int64_t number, cells;
    int32_t *below;
    double edge, scale;
};

/* Bounds with their table, which the caller frees; it is NULL where memory is short. */
struct bounds bounds_of(const double *values, int64_t number);

/* Write how many bounds each of `count` scores is above, as numbers of 16 bits with `wide`, else of 8; a NaN is above
   none. Of the limits `low` and `high` are used. */
struct flaws above_many(struct values scores, int64_t count, const struct bounds *bounds, struct limits limits,
                        void *numbers, int wide);

#endif
