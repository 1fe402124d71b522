/* What the kernels share: how they see a tensor, and the few things that plain C11 lacks. */
#ifndef SEGIOU_NATIVE_H
#define SEGIOU_NATIVE_H

#include <stdint.h>
#include <string.h>

/* A kernel is compiled for three generations of x86-64, and the loader takes the best that the machine has. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && \
    !defined(__SANITIZE_ADDRESS__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

/* Inlined where it is called, so that it is compiled for the machine of its caller. */
#define INLINE static inline __attribute__((always_inline))

/* Values in memory that belongs to a tensor: of any type, and not always at a multiple of their size. */
#define LOOSE __attribute__((aligned(1), may_alias))
typedef uint8_t LOOSE loose_u8;
typedef uint16_t LOOSE loose_u16;
typedef int16_t LOOSE loose_i16;
typedef uint32_t LOOSE loose_u32;
typedef uint64_t LOOSE loose_u64;
typedef float LOOSE loose_f32;
typedef double LOOSE loose_f64;

/* Dtypes, by the numbers that Python knows them by: see KINDS in __init__.py. */
enum kind { UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64, FLOAT32, FLOAT64, FLOAT16, BFLOAT16 };

INLINE int64_t smaller(int64_t left, int64_t right) { return left < right ? left : right; }
INLINE int64_t larger(int64_t left, int64_t right) { return left > right ? left : right; }

/* Bytes of one value. */
INLINE int64_t size_of(enum kind kind)
{
    static const int8_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 2, 2};
    return sizes[kind];
}

#endif
