#include "counter.h"

#include <stdlib.h>

int is_wide(const struct table *table) { return larger(table->rows, table->columns) > 256; }

INLINE size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Bins of a thread's own; with none it counts straight into the table. */
static int64_t bins_of(const struct table *table)
{
    int64_t bins = table->rows * table->columns;
    return bins <= FEW ? COPIES * bins : table->threads > 1 ? bins : 0;
}

char *start_counter(struct counter *counter, const struct table *table, size_t room)
{
    int64_t bins = table->rows * table->columns, own = bins_of(table);
    size_t rows = aligned(HEAD + 2 * PART), keys = 4 * PART, histogram = aligned((size_t)own * sizeof(int64_t));
    char *memory = malloc(63 + rows + keys + histogram + room);
    if (!memory)
        return NULL;
    char *start = memory + (-(uintptr_t)memory & 63);
    *counter = (struct counter){.table = table, .memory = memory, .rows = start + HEAD};
    counter->keys = (uint32_t *)(start + rows);
    counter->histogram = (struct histogram){own ? (int64_t *)(start + rows + keys) : table->counts, table->rows,
                                            table->columns, own > bins ? bins : 0};
    memset(start, 0, HEAD);
    memset(start + rows + keys, 0, histogram);
    return start + rows + keys + histogram;
}

static int64_t *counts_of(const struct counter *counter)
{
    return counter->table->counts + counter->item * counter->table->rows * counter->table->columns;
}

/* From now on count pixels of this item. */
static void turn_to(struct counter *counter, int64_t item)
{
    if (bins_of(counter->table)) {
        flush(&counter->histogram, counts_of(counter));
        counter->item = item;
    } else {
        counter->item = item;
        counter->histogram.bins = counts_of(counter);
    }
}

/* How many of these target labels are ignored and are no class. */
static int64_t ignored_outside(const struct table *table, struct integers target, int64_t count)
{
    int64_t found = 0;
    for (int64_t i = 0; i < table->number_ignored; i++) {
        int64_t value = table->ignored[i];
        if ((value < 0 || value >= table->rows - 1) && can_hold(target.kind, value))
            found += matches(target, count, value);
    }
    return found;
}

void count_pixels(struct counter *counter, int64_t item, struct integers target, const void *columns, int64_t count)
{
    const struct table *table = counter->table;
    int wide = is_wide(table);
    if (item != counter->item)
        turn_to(counter, item);
    for (int64_t begin = 0; begin < count; begin += PART) {
        int64_t part = smaller(PART, count - begin);
        narrow(target, part, table->rows - 1, counter->rows, wide);
        if (table->number_ignored && holds(counter->rows, part, table->rows - 1, wide))
            counter->errors[BAD_TARGET] -= ignored_outside(table, target, part);
        tally(&counter->histogram, counter->rows, (const char *)columns + begin * (wide ? 2 : 1), part, wide,
              counter->keys);
        target.address += part * target.stride;
    }
}

void finish_counter(struct counter *counter)
{
    if (bins_of(counter->table))
        flush(&counter->histogram, counts_of(counter));
    for (int i = 0; i < ERRORS; i++)
        if (counter->errors[i])
            __atomic_fetch_add(&counter->table->errors[i], counter->errors[i], __ATOMIC_RELAXED);
    free(counter->memory);
}

static void ignore_classes(const struct table *table, int64_t *counts)
{
    int64_t *last = counts + (table->rows - 1) * table->columns;
    for (int64_t i = 0; i < table->number_ignored; i++) {
        int64_t label = table->ignored[i];
        if (label < 0 || label >= table->rows - 1)
            continue;
        int64_t *row = counts + label * table->columns;
        for (int64_t column = 0; column < table->columns; column++) {
            last[column] += row[column];
            row[column] = 0;
        }
    }
}

void finish_table(const struct table *table)
{
    for (int64_t item = 0; item < table->items; item++) {
        int64_t *counts = table->counts + item * table->rows * table->columns;
        const int64_t *last = counts + (table->rows - 1) * table->columns;
        for (int64_t column = 0; column < table->columns; column++)
            table->errors[BAD_TARGET] += last[column];
        ignore_classes(table, counts);
        for (const int64_t *row = counts; row < last && table->void_column; row += table->columns)
            table->errors[BAD_PREDS] += row[table->columns - 1];
    }
}
