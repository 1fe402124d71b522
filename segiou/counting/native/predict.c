#include "predict.h"

INLINE struct scores scores_of(const struct preds *preds)
{
    return (struct scores){preds->address, preds->kind, preds->classes, preds->class_stride, preds->stride};
}

size_t predict_room(const struct preds *preds, int64_t count)
{
    struct scores scores = scores_of(preds);
    return preds->source == SCORES ? winners_room(&scores, count) : 0;
}

struct flaws predict(const struct preds *preds, int64_t count, char *room, void *numbers, int wide)
{
    struct scores scores = scores_of(preds);
    struct values values = {preds->address, preds->kind, preds->stride};
    switch (preds->source) {
    case SCORES: return (struct flaws){winners(&scores, count, room, numbers, wide), 0};
    case BINARY: return above_one(values, count, preds->limits, numbers, wide);
    case ABOVE: return above_many(values, count, &preds->bounds, preds->limits, numbers, wide);
    default:
        narrow((struct integers){preds->address, preds->kind, preds->stride}, count, preds->classes, numbers, wide);
        return (struct flaws){0, 0};
    }
}
