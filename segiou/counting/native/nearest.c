#include "fetch.h"
#include "upsample.h"

/* Nearest neighbours: the winner of a target pixel is that of its source pixel, so only source pixels are compared. */

enum { ROWS = 1 };

/* In the area: a row of scores, the best of all classes, and whose they are. */
struct layout nearest_layout(const struct resize *resize)
{
    return (struct layout){resize->width, ROWS, 3 * resize->columns};
}

CLONES static void compare(const float *restrict value, int64_t count, int32_t label, float *restrict best,
                           int32_t *restrict winner)
{
    for (int64_t x = 0; x < count; x++) {
        int wins = !(value[x] <= best[x]) & (best[x] == best[x]);
        winner[x] = wins ? label : winner[x];
        best[x] = wins ? value[x] : best[x];
    }
}

int64_t nearest_winners(const struct resize *resize, const struct stretch *stretch, struct desk *desk)
{
    int64_t columns = resize->columns, row = resize->down.first[stretch->y], nans = 0;
    float *value = desk->area, *best = value + columns;
    int32_t *winner = (int32_t *)(best + columns);
    const char *address = resize->scores + stretch->image * resize->image_step + row * resize->row_step;
    if (desk->held[0] != row) {
        for (int64_t x = 0; x < columns; x++)
            best[x] = -__builtin_inff(), winner[x] = 0;
        for (int64_t label = 0; label < resize->classes; label++) {
            fetch(address + label * resize->class_step, resize->kind, resize->step, columns, value);
            compare(value, columns, (int32_t)label, best, winner);
        }
        desk->held[0] = row;
    }
    for (int64_t x = 0; x < resize->width; x++) {
        int64_t source = resize->across.first[x];
        if (desk->wide)
            ((uint16_t *)desk->numbers)[x] = (uint16_t)winner[source];
        else
            desk->numbers[x] = (uint8_t)winner[source];
        nans += best[source] != best[source];
    }
    return nans;
}
