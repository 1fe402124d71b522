/* Labels of any integer type as row or column numbers. */
#ifndef SEGIOU_LABELS_H
#define SEGIOU_LABELS_H

#include "native.h"

/* Integers in memory: the first, their type, and the bytes from one to the next. */
struct integers {
    const char *address;
    enum kind kind;
    int64_t stride;
};

/* Write `count` labels as numbers of 8 bits, or of 16 with `wide`: those from 0 to `classes - 1` as they are, every
   other as `classes`, which must fit. */
void narrow(struct integers labels, int64_t count, int64_t classes, void *numbers, int wide);

/* Whether any of `count` numbers is `wanted`. */
int holds(const void *numbers, int64_t count, int64_t wanted, int wide);

/* Whether the type can hold a value, given as the bits of an int64. */
int can_hold(enum kind kind, int64_t value);

/* How many of `count` integers are `value`, which their type can hold. */
int64_t matches(struct integers labels, int64_t count, int64_t value);

#endif
