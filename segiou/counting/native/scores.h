/* The winning class of scores: the first maximum, and the first NaN before any number. */
#ifndef SEGIOU_SCORES_H
#define SEGIOU_SCORES_H

#include "native.h"

/* Scores in memory, those of the first pixel at `address`; the strides, from class to class and from pixel to pixel,
   are in bytes. */
struct scores {
    const char *address;
    enum kind kind;
    int64_t classes, class_stride, stride;
};

/* Bytes of memory that `winners` needs for up to `count` pixels. */
size_t winners_room(const struct scores *scores, int64_t count);

/* Write the winning classes of `count` pixels as numbers of 16 bits with `wide`, else of 8. Returns how many pixels
   hold a NaN. */
int64_t winners(const struct scores *scores, int64_t count, char *room, void *numbers, int wide);

#endif
