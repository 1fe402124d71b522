/* Scores of any floating type as float32. */
#ifndef SEGIOU_FETCH_H
#define SEGIOU_FETCH_H

#include "native.h"

/* Read `count` scores, `stride` bytes apart, into `values`. Returns whether any is NaN, infinite or so large that a
   weighted mean could overflow. */
int fetch(const char *address, enum kind kind, int64_t stride, int64_t count, float *values);

#endif
