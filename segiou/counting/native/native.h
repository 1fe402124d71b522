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
typedef int16_t LOOSE loose_f16;
typedef int16_t LOOSE loose_bf16;
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

/* Scores as they are compared: those of 16 bits, which are patterns, as integers in which a negative one is minus its
   magnitude, so that -0 is 0. What a NaN becomes has no meaning: `is_nan` asks the score itself. */
INLINE float order_f32(float score) { return score; }
INLINE double order_f64(double score) { return score; }
INLINE int16_t order_f16(int16_t score)
{
    int16_t sign = (int16_t)(score >> 15);
    return (int16_t)((score ^ (sign & INT16_MAX)) - sign);
}
INLINE int16_t order_bf16(int16_t score) { return order_f16(score); }
INLINE int is_nan_f32(float score) { return score != score; }
INLINE int is_nan_f64(double score) { return score != score; }
INLINE int is_nan_f16(int16_t score) { return (score & INT16_MAX) > 0x7C00; }
INLINE int is_nan_bf16(int16_t score) { return (score & INT16_MAX) > 0x7F80; }

/* Scores as the float32 or float64 of the same value. */
INLINE float bits_to_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
INLINE float float_f32(float score) { return score; }
INLINE double float_f64(double score) { return score; }
INLINE float float_bf16(int16_t score) { return bits_to_float((uint32_t)(uint16_t)score << 16); }
INLINE float float_f16(int16_t score)
{
    /* a product moves the exponent, and makes the smallest numbers normal */
    uint32_t bits = (uint32_t)(score & INT16_MAX) << 13;
    float value = bits >= 0x0F800000 ? bits_to_float(bits | 0x7F800000) : bits_to_float(bits) * 0x1p112f;
    return score < 0 ? -value : value;
}

#endif
