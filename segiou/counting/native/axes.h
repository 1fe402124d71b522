/* The pixels of two tensors as nested loops, as few and as long as their strides allow. */
#ifndef SEGIOU_AXES_H
#define SEGIOU_AXES_H

#include "native.h"

enum { MOST_AXES = 64 }; /* an address has 64 bits: no tensor has more axes of two or more pixels */

/* One loop: its length, and the bytes from step to step in the predictions and in the target. */
struct axis {
    int64_t size, preds, target;
};

struct axes {
    int number;
    struct axis axis[MOST_AXES];
};

/* Order loops from `first` on so that the predictions' smallest stride is innermost, and join those that continue
   each other. There is always one loop at least. */
void nest(struct axes *axes, int first);

/* Where a row of the innermost loop begins, by its number among all rows; `first` is its index in the first loop. */
struct place {
    int64_t preds, target, first;
};
struct place place_of(const struct axes *axes, int64_t row);

#endif
