/* The count of predictions that have the target's size. */
#ifndef SEGIOU_COUNT_H
#define SEGIOU_COUNT_H

#include "axes.h"
#include "counter.h"
#include "predict.h"

/* Predictions and target; the caller keeps their memory alive, and the kernels only read it. */
struct job {
    struct preds preds;
    struct integers target; /* its stride is not used: `axes` has it */
    struct axes axes;       /* of the pixels; with several tables the first is that of the items */
    struct table table;
    uintptr_t launch; /* see together */
};

/* Count everything. The counts and errors of the table must be 0. Returns 0, or -1 where memory is short: then they
   are not to be used. */
int count(struct job *job);

#endif
