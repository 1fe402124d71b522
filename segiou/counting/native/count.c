#include "count.h"

#include "team.h"

enum {
    LONG_BLOCK = 16384, /* pixels of scores: long for the memory to stream, short for the second-level cache */
    BLOCK = 4096,       /* pixels of labels or of one score */
    TURNS = 32          /* turns of each thread, in which they share out the pieces */
};

/* The pieces of a job: parts of the rows, each but the last of a row of `length` pixels. */
struct work {
    const struct job *job;
    int64_t parts, length, pieces, turn;
    int64_t next;    /* piece, shared by all threads */
    int64_t started; /* threads that had the memory to take part */
};

static struct work cut(const struct job *job)
{
    const struct axes *axes = &job->axes;
    int64_t size = axes->axis[axes->number - 1].size, rows = 1;
    for (int i = 0; i < axes->number - 1; i++)
        rows *= axes->axis[i].size;
    int64_t block = job->preds.source == SCORES ? LONG_BLOCK : BLOCK;
    int64_t parts = (size + block - 1) / block, length = (size + 64 * parts - 1) / (64 * parts) * 64;
    int64_t pieces = rows * parts, threads = job->table.threads;
    int64_t turn = threads == 1 ? pieces : larger(1, pieces / (TURNS * threads));
    return (struct work){job, parts, length, pieces, turn, 0, 0};
}

static void count_piece(const struct work *work, int64_t piece, struct counter *counter, char *columns, char *room)
{
    const struct job *job = work->job;
    const struct axis *inner = &job->axes.axis[job->axes.number - 1];
    struct place place = place_of(&job->axes, piece / work->parts);
    int64_t begin = piece % work->parts * work->length, count = smaller(work->length, inner->size - begin);
    struct preds preds = job->preds;
    preds.address += place.preds + begin * inner->preds;
    struct flaws flaws = predict(&preds, count, room, columns, is_wide(&job->table));
    counter->errors[NAN_SCORES] += flaws.nans;
    counter->errors[NOT_PROBABILITY] += flaws.beyond;
    struct integers target = {job->target.address + place.target + begin * inner->target, job->target.kind,
                              inner->target};
    count_pixels(counter, job->table.items > 1 ? place.first : 0, target, columns, count);
}

/* What one thread does: take the next pieces until there are none. */
static void take_turns(void *data)
{
    struct work *work = data;
    struct counter counter;
    size_t columns = (size_t)(HEAD + 2 * work->length);
    char *memory = start_counter(&counter, &work->job->table, columns + predict_room(&work->job->preds, work->length));
    if (!memory)
        return;
    memset(memory, 0, HEAD);
    __atomic_fetch_add(&work->started, 1, __ATOMIC_RELAXED);
    int64_t piece;
    while ((piece = __atomic_fetch_add(&work->next, work->turn, __ATOMIC_RELAXED)) < work->pieces)
        for (int64_t end = smaller(piece + work->turn, work->pieces); piece < end; piece++)
            count_piece(work, piece, &counter, memory + HEAD, memory + columns);
    finish_counter(&counter);
}

int count(struct job *job)
{
    job->preds.stride = job->axes.axis[job->axes.number - 1].preds;
    struct work work = cut(job);
    together(take_turns, &work, job->table.threads, job->launch);
    if (!work.started)
        return -1;
    finish_table(&job->table);
    return 0;
}
