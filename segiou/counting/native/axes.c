#include "axes.h"

/* A tensor that is expanded along an axis (stride 0) is read again and again: that axis is outermost. */
static int is_outside(const struct axis *axis, const struct axis *other)
{
    int64_t own = axis->preds ? axis->preds : INT64_MAX, its = other->preds ? other->preds : INT64_MAX;
    return own > its;
}

static void sort(struct axis *axis, int number)
{
    for (int i = 1; i < number; i++) {
        struct axis moved = axis[i];
        int j = i;
        for (; j > 0 && is_outside(&moved, &axis[j - 1]); j--)
            axis[j] = axis[j - 1];
        axis[j] = moved;
    }
}

void nest(struct axes *axes, int first)
{
    struct axis *axis = axes->axis + first;
    int number = 0;
    sort(axis, axes->number - first);
    for (int i = 0; i < axes->number - first; i++) {
        struct axis next = axis[i];
        if (number && axis[number - 1].preds == next.preds * next.size &&
            axis[number - 1].target == next.target * next.size)
            next.size *= axis[--number].size;
        axis[number++] = next;
    }
    if (!number)
        axis[number++] = (struct axis){1, 0, 0};
    axes->number = first + number;
}

struct place place_of(const struct axes *axes, int64_t row)
{
    struct place place = {0, 0, 0};
    for (int i = axes->number - 2; i >= 0; i--) {
        const struct axis *axis = &axes->axis[i];
        int64_t index = row % axis->size;
        row /= axis->size;
        place.preds += index * axis->preds;
        place.target += index * axis->target;
        place.first = index;
    }
    return place;
}
