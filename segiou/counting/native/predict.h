/* The predicted class of every pixel, as column numbers. */
#ifndef SEGIOU_PREDICT_H
#define SEGIOU_PREDICT_H

#include "labels.h"

/* What predictions are. */
enum source { LABELS, SCORES, BINARY, ABOVE };

/* Predictions in memory, those of the first pixel at `address`. */
struct preds {
    enum source source;
    const char *address;
    enum kind kind;
    int64_t stride;                /* bytes from pixel to pixel */
    int64_t classes, class_stride; /* labels, scores: how many; scores: bytes from one to the next */
    double threshold, low, high;   /* binary: see compare */
    const struct bounds *bounds;   /* above: see thresholds.h */
};

/* Pixels whose scores hold a NaN, and whose score is outside `low` to `high`. */
struct flaws {
    int64_t nans, beyond;
};

/* Bytes of memory that `predict` needs for up to `count` pixels. */
size_t room_for(const struct preds *preds, int64_t count);

/* Write the predicted classes of `count` pixels, of 16 bits with `wide`, else of 8. */
struct flaws predict(const struct preds *preds, int64_t count, char *room, void *columns, int wide);

#endif
