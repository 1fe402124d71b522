/* The joint histogram of row and column numbers. */
#ifndef SEGIOU_HISTOGRAM_H
#define SEGIOU_HISTOGRAM_H

#include "native.h"

enum {
    HEAD = 64,      /* bytes before an array of rows that may be read, and mean nothing */
    FEW = 1024,     /* bins up to which a thread has COPIES of them, all in the first-level cache */
    COPIES = 4      /* so that neighbours with the same pair do not wait for each other's addition */
};

/* Counts of `rows` rows and `columns` columns; copy i begins `offset` bins after copy i - 1, and with 0 there is one. */
struct histogram {
    int64_t *bins;
    int64_t rows, columns, offset;
};

/* Count `count` pairs. Numbers have 16 bits with `wide`, else 8; `keys` is room for `count` numbers of 32 bits. */
void tally(const struct histogram *histogram, const void *rows, const void *columns, int64_t count, int wide,
           void *keys);

/* Add a histogram with its copies to `counts`, where other threads may be adding theirs, and leave it empty. */
void flush(const struct histogram *histogram, int64_t *counts);

#endif
