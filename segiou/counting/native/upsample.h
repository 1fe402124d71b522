/* The count of score maps that are brought to the target's size on the way, and never held at that size. Every value is
   the one that torch's interpolation gives in float32, bit for bit. */
#ifndef SEGIOU_UPSAMPLE_H
#define SEGIOU_UPSAMPLE_H

#include "counter.h"

/* How a target pixel gets its scores: from one source pixel, or from four; torch weighs those one axis after the other,
   or all at once. */
enum method { NEAREST, AXES, CORNERS };

enum { MARGIN = 16 }; /* numbers that may be read behind the last weight, and written behind a row */

/* For every target position along an axis its two source positions, what each weighs, and the first position behind
   that has other source positions. The weights have MARGIN numbers more. */
struct taps {
    const int32_t *first, *second, *end;
    const float *weight, *other;
};

/* Scores and target in memory; steps are in bytes. */
struct resize {
    enum method method;
    const char *scores;
    enum kind kind;
    int64_t classes, columns;                         /* classes, and source pixels of a row */
    int64_t image_step, class_step, row_step, step;   /* of the scores */
    struct integers target;
    int64_t target_image_step, target_row_step;
    int64_t images, height, width;                    /* of the target */
    struct taps across, down;
    struct table table;
    uintptr_t launch;                                 /* see together */
};

/* Count everything, as `count` does. */
int upsample(const struct resize *resize);

/* Some target rows between the same two source rows: the image, the rows, and the columns from `left` on. */
struct stretch {
    int64_t image, y, rows, left, count;
};

/* Where one thread keeps what it works on. */
struct desk {
    uint8_t *numbers;    /* the winners' numbers, with 16 bits where there are many classes */
    int64_t row_bytes;   /* from one row of these to the next */
    int wide;
    float *area;         /* as large as floats_for says */
    int64_t held[2];     /* source rows that are in the two slots of `area`, or -1 */
    int odd[2];          /* whether these hold a score that `fetch` reports */
};

/* The target columns of a stretch, the most rows of one, and the floats that are needed beside the numbers. */
struct layout {
    int64_t strip, rows, floats;
};

/* Each method: its layout, and a function that writes the winners of a stretch and returns how many pixels hold a NaN.
   The first maximum wins, and a NaN before all. */
struct layout nearest_layout(const struct resize *resize);
int64_t nearest_winners(const struct resize *resize, const struct stretch *stretch, struct desk *desk);
struct layout axes_layout(const struct resize *resize);
int64_t axes_winners(const struct resize *resize, const struct stretch *stretch, struct desk *desk);
struct layout corners_layout(const struct resize *resize);
int64_t corners_winners(const struct resize *resize, const struct stretch *stretch, struct desk *desk);

/* Which slot has a source row; `bring` says whether it must be fetched into it first. The row in `other` stays. */
int slot_of(struct desk *desk, int64_t row, int64_t other, int *bring);

#endif
