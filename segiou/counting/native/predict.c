#include "predict.h"

size_t room_for(const struct preds *preds, int64_t count)
{
    (void)preds, (void)count;
    return 0;
}

struct flaws predict(const struct preds *preds, int64_t count, char *room, void *columns, int wide)
{
    (void)room;
    narrow((struct integers){preds->address, preds->kind, preds->stride}, count, preds->classes, columns, wide);
    return (struct flaws){0, 0};
}
