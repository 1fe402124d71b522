#include "upsample.h"

#include "team.h"

enum { PIECES = 16, LEAST_ROWS = 16 }; /* pieces of work for each thread, target rows of one */

typedef int64_t (*winners)(const struct resize *resize, const struct stretch *stretch, struct desk *desk);

/* The pieces of a job: strips of columns, and of these bands of rows. */
struct work {
    const struct resize *resize;
    struct layout layout;
    winners winners;
    int64_t strips, bands, band;
    int64_t next, started; /* shared by all threads: the next piece, and how many had the memory to take part */
};

/* A band begins with source rows that the one before has had too: no more bands than the threads need. */
static struct work cut(const struct resize *resize)
{
    static struct layout (*const layouts[])(const struct resize *) = {nearest_layout, axes_layout, corners_layout};
    static const winners all[] = {nearest_winners, axes_winners, corners_winners};
    struct layout layout = layouts[resize->method](resize);
    int64_t strips = (resize->width + layout.strip - 1) / layout.strip, columns = strips * resize->images;
    int64_t threads = resize->table.threads, wanted = threads == 1 ? 1 : (PIECES * threads + columns - 1) / columns;
    int64_t band = larger(LEAST_ROWS, (resize->height + wanted - 1) / wanted);
    int64_t bands = (resize->height + band - 1) / band;
    return (struct work){resize, layout, all[resize->method], strips, bands, band, 0, 0};
}

int slot_of(struct desk *desk, int64_t row, int64_t other, int *bring)
{
    for (int slot = 0; slot < 2; slot++)
        if (desk->held[slot] == row) {
            *bring = 0;
            return slot;
        }
    int slot = desk->held[0] == other;
    desk->held[slot] = row;
    *bring = 1;
    return slot;
}

/* How many target rows from `y` on, up to `most`, lie between the same two source rows. */
static int64_t rows_alike(const struct taps *down, int64_t y, int64_t most)
{
    return smaller(most, down->end[y] - y);
}

static void count_piece(const struct work *work, int64_t piece, struct counter *counter, struct desk *desk)
{
    const struct resize *resize = work->resize;
    int64_t top = piece % work->bands * work->band, bottom = smaller(top + work->band, resize->height);
    int64_t strip = piece / work->bands % work->strips, image = piece / work->bands / work->strips;
    int64_t left = strip * work->layout.strip, count = smaller(work->layout.strip, resize->width - left);
    struct integers target = resize->target;
    target.address += image * resize->target_image_step + left * target.stride + top * resize->target_row_step;
    desk->held[0] = desk->held[1] = -1;
    for (int64_t y = top, rows; y < bottom; y += rows) {
        rows = rows_alike(&resize->down, y, smaller(work->layout.rows, bottom - y));
        struct stretch stretch = {image, y, rows, left, count};
        counter->errors[NAN_SCORES] += work->winners(resize, &stretch, desk);
        for (int64_t row = 0; row < rows; row++, target.address += resize->target_row_step)
            count_pixels(counter, resize->table.items > 1 ? image : 0, target, desk->numbers + row * desk->row_bytes,
                         count);
    }
}

/* What one thread does: take the next piece until there is none. */
static void take_turns(void *data)
{
    struct work *work = data;
    struct counter counter;
    struct desk desk = {.wide = is_wide(&work->resize->table)};
    desk.row_bytes = HEAD + (work->layout.strip + MARGIN + HEAD) / HEAD * HEAD * (desk.wide ? 2 : 1);
    size_t numbers = (size_t)(desk.row_bytes * work->layout.rows);
    char *memory = start_counter(&counter, &work->resize->table, numbers + (size_t)work->layout.floats * sizeof(float));
    if (!memory)
        return;
    memset(memory, 0, numbers);
    desk.numbers = (uint8_t *)memory + HEAD;
    desk.area = (float *)(memory + numbers);
    __atomic_fetch_add(&work->started, 1, __ATOMIC_RELAXED);
    int64_t pieces = work->resize->images * work->strips * work->bands, piece;
    while ((piece = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED)) < pieces)
        count_piece(work, piece, &counter, &desk);
    finish_counter(&counter);
}

int upsample(const struct resize *resize)
{
    struct work work = cut(resize);
    together(take_turns, &work, resize->table.threads, resize->launch);
    if (!work.started)
        return -1;
    finish_table(&resize->table);
    return 0;
}
