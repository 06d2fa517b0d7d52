/* What every kernel shares: views of tensors, and fixed-point arithmetic as in TFLite-Micro.
 *
 * A kernel computes rows [y0, y1) of its output. Tensors are NHWC, one batch item at a time.
 * A view says where row y lies: at base + y * row_bytes, or, where ring is not 0, at
 * base + (y mod ring) * row_bytes: only the last `ring` rows are kept.
 * The plan guarantees shapes, sizes and rows in reach; kernels do not check again.
 */
#ifndef TM_KERNEL_H
#define TM_KERNEL_H

#include <stdint.h>
#include <string.h>

/* Inlined with a constant parameter struct, so that every shape is known to the compiler:
 * 1.97 M instructions where separate functions took 4.49 M (Cortex-M4, 377 k MACs, emulated). */
#define TM_KERNEL static inline __attribute__((always_inline))

/* What drives an inner function: inlined too for speed, one copy for all steps where the build
 * asks for less code. */
#ifdef TM_COMPACT
#define TM_DRIVER static __attribute__((noinline, noclone, unused))
#else
#define TM_DRIVER TM_KERNEL
#endif

/* Where size is all: no second way for shapes that it would be faster for, and one copy of a piece
 * that a kernel has several times. */
#ifdef __OPTIMIZE_SIZE__
#define TM_SMALL 1
#define TM_UNROLL_4
#define TM_UNROLL_8
#define TM_PIECE static __attribute__((noinline, noclone, unused))
#else
#define TM_SMALL 0
#define TM_UNROLL_4 _Pragma("GCC unroll 4")
#define TM_UNROLL_8 _Pragma("GCC unroll 8")
#define TM_PIECE TM_KERNEL
#endif

struct tm_in {
    const void *base;
    int32_t row_bytes;
    int32_t ring;
};

struct tm_out {
    void *base;
    int32_t row_bytes;
    int32_t ring;
};

static inline int32_t tm_ring(int32_t y, int32_t ring)
{
    return ring ? (int32_t)((uint32_t)y % (uint32_t)ring) : y;
}

static inline const void *tm_in_row(struct tm_in view, int32_t y)
{
    return (const uint8_t *)view.base + tm_ring(y, view.ring) * view.row_bytes;
}

static inline void *tm_out_row(struct tm_out view, int32_t y)
{
    return (uint8_t *)view.base + tm_ring(y, view.ring) * view.row_bytes;
}

static inline int32_t tm_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t tm_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int32_t tm_clamp(int32_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static inline int32_t tm_clamp_s16(int32_t v)
{
    return tm_clamp(v, -32768, 32767);
}

/* sum / count, halves away from zero. Divided without signs here and above: Cortex-M0 has that at
 * hand, for printing numbers. */
static inline int32_t tm_average(int32_t sum, int32_t count)
{
    const uint32_t size = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    const int32_t mean = (int32_t)((size + (uint32_t)count / 2) / (uint32_t)count);
    return sum < 0 ? -mean : mean;
}

TM_DRIVER void tm_clamp_bytes(int8_t *at, int32_t count, int32_t lo, int32_t hi)
{
    if (lo <= -128 && hi >= 127)
        return;
    for (int32_t i = 0; i < count; i++)
        at[i] = (int8_t)tm_clamp(at[i], lo, hi);
}

static inline float tm_max_f32(float a, float b)
{
    return a < b ? b : a;
}

static inline float tm_clamp_f32(float v, float lo, float hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* x * 2^bits, wrapping as the reference does on two's complement machines. */
static inline int32_t tm_shift_left(int32_t x, int32_t bits)
{
    return (int32_t)((uint32_t)x << bits);
}

/* a * b / 2^31, halves up (SaturatingRoundingDoublingHighMul; never both INT32_MIN). */
static inline int32_t tm_mul_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (1ll << 30)) >> 31);
}

/* x / 2^bits, halves away from zero (RoundingDivideByPOT). */
static inline int32_t tm_shift_right(int32_t x, int32_t bits)
{
    const int32_t mask = (int32_t)((1ll << bits) - 1);
    return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0));
}

/* x * multiplier * 2^(shift - 31), rounded twice (MultiplyByQuantizedMultiplier). */
static inline int32_t tm_rescale(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    return tm_shift_right(tm_mul_high(tm_shift_left(x, left), multiplier), left - shift);
}

/* The same of 64 bits, |x| < 2^47, with a multiplier of 15 bits, rounded once, halves up: what
 * TFLite-Micro makes of the sums of int16 layers. */
static inline int32_t tm_rescale_wide(int64_t x, int32_t multiplier, int32_t shift)
{
    return (int32_t)((x * multiplier + (1ll << (14 - shift))) >> (15 - shift));
}

/* A sum of an int16 layer: of 64 bits where it is `wide`, or wrapped to 32. */
static inline int32_t tm_rescale_sum(int64_t sum, int32_t wide, int32_t multiplier, int32_t shift)
{
    return wide ? tm_rescale_wide(sum, multiplier, shift)
                : tm_rescale((int32_t)sum, multiplier, shift);
}

/* 1 / (1 + x) for x in [0, 1), Q0.31: three Newton steps in Q2.29. */
static inline int32_t tm_reciprocal(int32_t x)
{
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    /* 48/17 - 32/17 * d is the best linear start. */
    int32_t v = 1515870810 + tm_mul_high(half_denominator, -1010580540);
    for (int i = 0; i < 3; i++) {
        const int32_t error = (1 << 29) - tm_mul_high(v, half_denominator);
        v += tm_mul_high(v, error) * 4;
    }
    return v >= 1 << 30 ? INT32_MAX : v * 2;
}

/* Half-open range of kernel taps [first, last) that fall inside `size` when tap 0 is at `at`. */
static inline int32_t tm_first_tap(int32_t at, int32_t dilation)
{
    return at < 0 ? (-at + dilation - 1) / dilation : 0;
}

static inline int32_t tm_last_tap(int32_t at, int32_t dilation, int32_t taps, int32_t size)
{
    return at >= size ? 0 : tm_min(taps, (size - at + dilation - 1) / dilation);
}

/* Item i of an array of int32 or int64 indices (`bytes` is 4 or 8). */
static inline int64_t tm_integer(const void *values, int32_t i, int32_t bytes)
{
    return bytes == 4 ? ((const int32_t *)values)[i] : ((const int64_t *)values)[i];
}

static inline int32_t tm_index_inside(const void *indices, int32_t i, int32_t bytes, int32_t size)
{
    const int64_t at = tm_integer(indices, i, bytes);
    return at >= 0 && at < size;
}

/* The same, brought into [0, size). */
static inline int32_t tm_index(const void *indices, int32_t i, int32_t bytes, int32_t size)
{
    const int64_t at = tm_integer(indices, i, bytes);
    return at < 0 ? 0 : at < size ? (int32_t)at : size - 1;
}

#endif
