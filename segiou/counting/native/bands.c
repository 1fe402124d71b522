#include "bands.h"

#include <stdlib.h>

#include "team.h"

/* Each image is cut into bands of rows, no more than the threads need, for each reads the rows around it as well. */
struct work {
    const struct maps *maps;
    int64_t pieces;        /* of an image */
    int64_t next, started; /* shared by all threads */
};

/* What a thread needs for a row. */
struct desk {
    uint16_t *columns, *outer[2]; /* predicted classes; rows around the band */
    int32_t *runs;                /* in every column, how many rows up to the last one read have its label */
    uint8_t *marks, *spare;       /* edges that are near a boundary */
    char *room;
};

static int64_t edges_of(const struct maps *maps) { return maps->width + 2 * maps->distance; }

static char *start_desk(struct desk *desk, const struct maps *maps)
{
    size_t row = (size_t)(maps->width + 64) / 64 * 64, edges = (size_t)(edges_of(maps) + 64) / 64 * 64;
    char *memory = calloc(1, 10 * row + 2 * edges + predict_room(&maps->preds, maps->width));
    if (!memory)
        return NULL;
    *desk = (struct desk){.runs = (int32_t *)memory, .columns = (uint16_t *)(memory + 4 * row),
                          .outer = {(uint16_t *)(memory + 6 * row), (uint16_t *)(memory + 8 * row)}};
    desk->marks = (uint8_t *)memory + 10 * row;
    desk->spare = desk->marks + edges;
    desk->room = (char *)desk->spare + edges;
    return memory;
}

static void read_row(const struct maps *maps, int64_t image, int64_t y, struct desk *desk, uint16_t *row)
{
    struct preds preds = maps->preds;
    preds.address += image * maps->image_step + y * maps->row_step;
    predict(&preds, maps->width, desk->room, maps->table ? desk->columns : row, 1);
    for (int64_t x = 0; maps->table && x < maps->width; x++)
        row[x] = maps->table[desk->columns[x]];
}

CLONES static void add_to_runs(const uint16_t *row, const uint16_t *above, int32_t *runs, int64_t width)
{
    for (int64_t x = 0; x < width; x++)
        runs[x] = row[x] == above[x] ? runs[x] + 1 : 1;
}

/* Mark the edges between pixels of two labels, and both edges of a column whose run is shorter than `needed`. Edge x is
   to the left of pixel x. */
CLONES static void mark_edges(const uint16_t *row, const int32_t *runs, int64_t needed, int border,
                              uint8_t *restrict edges, int64_t width)
{
    edges[0] = (uint8_t)(border | (runs[0] < needed));
    for (int64_t x = 1; x < width; x++)
        edges[x] = (row[x - 1] != row[x]) | (runs[x - 1] < needed) | (runs[x] < needed);
    edges[width] = (uint8_t)(border | (runs[width - 1] < needed));
}

/* Join each mark with the `span - 1` behind it: the reach doubles at every step. Returns which array has the marks. */
CLONES static const uint8_t *join(uint8_t *restrict marks, uint8_t *restrict spare, int64_t size, int64_t span)
{
    for (int64_t reach = 1; reach < span;) {
        int64_t step = smaller(reach, span - reach);
        size -= step;
        for (int64_t x = 0; x < size; x++)
            spare[x] = marks[x] | marks[x + step];
        uint8_t *joined = spare;
        spare = marks;
        marks = joined;
        reach += step;
    }
    return marks;
}

CLONES static void finish(uint16_t *row, const uint8_t *marks, int64_t labels, int64_t width)
{
    uint16_t inside = (uint16_t)labels, outside = (uint16_t)(labels + 1);
    for (int64_t x = 0; x < width; x++) {
        uint16_t label = marks[x] ? row[x] : inside;
        row[x] = row[x] == inside ? outside : label;
    }
}

/* Finish a row of which the rows within the distance have been read, down to `last`. */
static void finish_row(const struct maps *maps, int64_t y, int64_t last, uint16_t *row, struct desk *desk)
{
    int64_t distance = maps->distance, size = edges_of(maps) - 1;
    int beyond = y < distance || y + distance >= maps->height; /* the window leaves the image */
    memset(desk->marks, maps->border, (size_t)size);
    const uint8_t *marks = desk->marks;
    if (!(maps->border && beyond)) {
        int64_t needed = last - larger(0, y - distance) + 1;
        mark_edges(row, desk->runs, needed, maps->border, desk->marks + distance - 1, maps->width);
        marks = join(desk->marks, desk->spare, size, 2 * distance);
    }
    finish(row, marks, maps->labels, maps->width);
}

/* Mark the rows from `top` to `bottom` of an image, each when the rows below it, up to the distance, have been read. */
static void mark_band(const struct maps *maps, int64_t image, int64_t top, int64_t bottom, struct desk *desk)
{
    uint16_t *marked = maps->marked + image * maps->height * maps->width;
    int64_t first = larger(0, top - maps->distance);
    const uint16_t *above = NULL;
    memset(desk->runs, 0, (size_t)maps->width * sizeof *desk->runs);
    for (int64_t y = first; y < bottom + maps->distance; y++) {
        if (y < maps->height) {
            uint16_t *row = top <= y && y < bottom ? marked + y * maps->width : desk->outer[y % 2];
            read_row(maps, image, y, desk, row);
            add_to_runs(row, y == first ? row : above, desk->runs, maps->width);
            above = row;
        }
        int64_t centre = y - maps->distance;
        if (centre >= top)
            finish_row(maps, centre, smaller(y, maps->height - 1), marked + centre * maps->width, desk);
    }
}

/* What one thread does: take the next band until there is none. */
static void take_turns(void *data)
{
    struct work *work = data;
    struct desk desk;
    char *memory = start_desk(&desk, work->maps);
    if (!memory)
        return;
    __atomic_fetch_add(&work->started, 1, __ATOMIC_RELAXED);
    int64_t piece, pieces = work->pieces, height = work->maps->height;
    while ((piece = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED)) < work->maps->images * pieces) {
        int64_t number = piece % pieces;
        mark_band(work->maps, piece / pieces, number * height / pieces, (number + 1) * height / pieces, &desk);
    }
    free(memory);
}

int mark(const struct maps *maps)
{
    struct work work = {maps, (maps->threads + maps->images - 1) / maps->images, 0, 0};
    together(take_turns, &work, maps->threads, maps->launch);
    return work.started ? 0 : -1;
}
