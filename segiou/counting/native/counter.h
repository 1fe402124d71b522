/* From labels and columns to counts: what every kernel does with the classes that it predicts. */
#ifndef SEGIOU_COUNTER_H
#define SEGIOU_COUNTER_H

#include "histogram.h"
#include "labels.h"

/* Numbers of the errors, as in segiou.counting.inputs. */
enum { BAD_PREDS, BAD_TARGET, NAN_SCORES, NOT_PROBABILITY, ERRORS };

enum { PART = 1024 }; /* pixels counted at a time, all of their numbers in the first-level cache */

/* Where the counts go, shared by all threads. The last row is for target labels that are ignored or no class, and with
   `void_column` the last column for predicted labels that are no class. */
struct table {
    int64_t *counts, *errors; /* `items` tables of `rows` times `columns`; ERRORS numbers */
    int64_t items, rows, columns;
    const int64_t *ignored; /* target values */
    int64_t number_ignored;
    int threads, void_column;
};

/* Whether row and column numbers have 16 bits, not 8. */
int is_wide(const struct table *table);

/* One thread's counts, before they are added to the table's. */
struct counter {
    const struct table *table;
    struct histogram histogram;
    int64_t item, errors[ERRORS];
    char *memory, *rows;
    uint32_t *keys;
};

/* Get the memory of a counter and `room` bytes more, whose address is returned, a multiple of 64; NULL where memory is
   short. Else `finish_counter` must follow. */
char *start_counter(struct counter *counter, const struct table *table, size_t room);

/* Count up to any number of pixels of an item: target labels against column numbers. */
void count_pixels(struct counter *counter, int64_t item, struct integers target, const void *columns, int64_t count);

/* Add what was counted to the table, and free the memory. */
void finish_counter(struct counter *counter);

/* When all threads have finished: move the rows of ignored classes into the last, and count the bad labels. */
void finish_table(const struct table *table);

#endif
