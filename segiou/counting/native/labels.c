#include "labels.h"

enum { GROUP = 64, AHEAD = 4096 }; /* labels, and bytes that are asked for early */

/* The largest label that is a class and that the type can hold. Only of bytes the sign matters: in a wider type a
   negative label, read without its sign, lies above every class. */
static uint64_t last_label(enum kind kind, int64_t classes)
{
    int64_t held = kind == UINT8 ? UINT8_MAX : kind == INT8 ? INT8_MAX : INT64_MAX;
    return (uint64_t)smaller(classes - 1, held);
}

#define NARROW(BITS, WIDTH)                                                                                       \
    INLINE void narrow_##BITS##_to_##WIDTH(struct integers labels, int64_t count, uint##BITS##_t last,            \
                                           uint##WIDTH##_t other, uint##WIDTH##_t *restrict numbers)              \
    {                                                                                                             \
        int64_t i = 0;                                                                                            \
        for (; labels.stride == BITS / 8 && i + GROUP <= count; i += GROUP) {                                     \
            const loose_u##BITS *label = (const loose_u##BITS *)labels.address + i;                               \
            for (int64_t line = 0; line < GROUP * BITS / 8; line += 64)                                           \
                __builtin_prefetch((const char *)label + AHEAD + line);                                           \
            for (int j = 0; j < GROUP; j++)                                                                       \
                numbers[i + j] = label[j] <= last ? (uint##WIDTH##_t)label[j] : other;                            \
        }                                                                                                         \
        for (; i < count; i++) {                                                                                  \
            uint##BITS##_t label = *(const loose_u##BITS *)(labels.address + i * labels.stride);                  \
            numbers[i] = label <= last ? (uint##WIDTH##_t)label : other;                                          \
        }                                                                                                         \
    }

NARROW(8, 8) NARROW(16, 8) NARROW(32, 8) NARROW(64, 8) NARROW(8, 16) NARROW(16, 16) NARROW(32, 16) NARROW(64, 16)

#define DISPATCH(BITS)                                                                                            \
    if (wide)                                                                                                     \
        narrow_##BITS##_to_16(labels, count, (uint##BITS##_t)last, (uint16_t)classes, numbers);                   \
    else                                                                                                          \
        narrow_##BITS##_to_8(labels, count, (uint##BITS##_t)last, (uint8_t)classes, numbers);

CLONES void narrow(struct integers labels, int64_t count, int64_t classes, void *numbers, int wide)
{
    uint64_t last = last_label(labels.kind, classes);
    switch (size_of(labels.kind)) {
    case 1: DISPATCH(8) break;
    case 2: DISPATCH(16) break;
    case 4: DISPATCH(32) break;
    default: DISPATCH(64)
    }
}

int holds(const void *numbers, int64_t count, int64_t wanted, int wide)
{
    if (!wide)
        return memchr(numbers, (int)wanted, (size_t)count) != NULL;
    const uint16_t *number = numbers;
    uint16_t found = 0;
    for (int64_t i = 0; i < count; i++)
        found |= number[i] == wanted;
    return found;
}

int can_hold(enum kind kind, int64_t value)
{
    static const int64_t lowest[] = {0, INT8_MIN, 0, INT16_MIN, 0, INT32_MIN, 0, INT64_MIN};
    static const int64_t highest[] = {UINT8_MAX,  INT8_MAX,  UINT16_MAX, INT16_MAX,
                                      UINT32_MAX, INT32_MAX, INT64_MAX,  INT64_MAX};
    return lowest[kind] <= value && value <= highest[kind];
}

/* The sum of a group is kept in the type of the labels, for then a vector holds as many of both. */
#define MATCHES(BITS)                                                                                             \
    INLINE int64_t matches_##BITS(struct integers labels, int64_t count, uint##BITS##_t value)                    \
    {                                                                                                             \
        int64_t total = 0;                                                                                        \
        for (int64_t begin = 0; begin < count; begin += 128) {                                                    \
            int64_t group = smaller(128, count - begin);                                                          \
            const char *address = labels.address + begin * labels.stride;                                         \
            const loose_u##BITS *label = (const loose_u##BITS *)address;                                          \
            uint##BITS##_t found = 0;                                                                             \
            if (labels.stride == BITS / 8)                                                                        \
                for (int64_t i = 0; i < group; i++)                                                               \
                    found += label[i] == value;                                                                   \
            else                                                                                                  \
                for (int64_t i = 0; i < group; i++)                                                               \
                    found += *(const loose_u##BITS *)(address + i * labels.stride) == value;                      \
            total += (int64_t)found;                                                                              \
        }                                                                                                         \
        return total;                                                                                             \
    }

MATCHES(8) MATCHES(16) MATCHES(32) MATCHES(64)

CLONES int64_t matches(struct integers labels, int64_t count, int64_t value)
{
    switch (size_of(labels.kind)) {
    case 1: return matches_8(labels, count, (uint8_t)value);
    case 2: return matches_16(labels, count, (uint16_t)value);
    case 4: return matches_32(labels, count, (uint32_t)value);
    default: return matches_64(labels, count, (uint64_t)value);
    }
}
