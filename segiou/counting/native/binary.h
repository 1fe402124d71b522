/* One score per pixel against one threshold. */
#ifndef SEGIOU_BINARY_H
#define SEGIOU_BINARY_H

#include "native.h"

/* One score per pixel: the first, their type, and the bytes from one to the next. */
struct values {
    const char *address;
    enum kind kind;
    int64_t stride;
};

/* Pixels whose scores hold a NaN, and whose score is no NaN and outside of what is allowed. */
struct flaws {
    int64_t nans, beyond;
};

/* A threshold, and the least and the greatest score that is allowed; numbers that the type of the scores can hold, and
   for 16 bits what `order_f16` makes of their patterns. */
struct limits {
    double threshold, low, high;
};

/* Write 1 for each of `count` scores above the threshold, else 0, as numbers of 16 bits with `wide`, else of 8. */
struct flaws above_one(struct values scores, int64_t count, struct limits limits, void *numbers, int wide);

#endif
