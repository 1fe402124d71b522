/* The predicted class of every pixel, as column numbers. */
#ifndef SEGIOU_PREDICT_H
#define SEGIOU_PREDICT_H

#include "labels.h"
#include "scores.h"
#include "thresholds.h"

/* What predictions are. */
enum source { LABELS, SCORES, BINARY, ABOVE };

/* Predictions in memory, those of the first pixel at `address`; the strides, from pixel to pixel and of scores from
   class to class, are in bytes. */
struct preds {
    enum source source;
    const char *address;
    enum kind kind;
    int64_t classes, class_stride, stride;
    struct limits limits; /* binary, above */
    struct bounds bounds; /* above */
};

/* Bytes of memory that `predict` needs for up to `count` pixels. */
size_t predict_room(const struct preds *preds, int64_t count);

/* Write the predicted classes of `count` pixels, as numbers of 16 bits with `wide`, else of 8. */
struct flaws predict(const struct preds *preds, int64_t count, char *room, void *numbers, int wide);

#endif
