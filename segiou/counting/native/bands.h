/* Interior pixels of label maps: those that have only pixels of their label within a distance. */
#ifndef SEGIOU_BANDS_H
#define SEGIOU_BANDS_H

#include "predict.h"

/* Maps of labels, or of scores whose predicted class is the label; steps are in bytes. */
struct maps {
    struct preds preds;             /* the first pixel of all; its stride is that from pixel to pixel */
    int64_t image_step, row_step;
    int64_t images, height, width;
    const uint16_t *table;          /* what each class becomes, and outside at the end; NULL where each stays */
    int64_t labels, distance;       /* how many labels that makes; pixels, at most the larger side */
    int border;                     /* whether the border of the image is a boundary */
    uint16_t *marked;               /* images x height x width: interior pixels become `labels`, outside `labels + 1` */
    int threads;
    uintptr_t launch;               /* see together */
};

/* Mark all maps, at a cost that hardly depends on the distance. Returns 0, or -1 where memory is short. */
int mark(const struct maps *maps);

#endif
