/* What the kernels for MVE (Helium) share: dot products of several pixels and channels at a time,
 * and requantisation of four channels at a time.
 *
 * Output channels come in groups of four. The operands of a group follow one another in memory:
 * its int8 weights as the kernel wants them, then four int32 each of bias, multiplier and shift
 * (zero or to the right, as a negative number). The zero point of the input is in the bias.
 *
 * The loops are assembly: a group needs six even registers for its sums and six for addresses and
 * counts, and GCC 12 spills most of them. The functions around the loops are shared by all steps
 * of a model, for their parameters cost little.
 */
#ifndef TM_MVE_H
#define TM_MVE_H

#include <arm_mve.h>

#include "tm_kernel.h"

#define TM_MVE_SHARED static __attribute__((noinline, noclone, unused))

struct tm_mve_pair {
    int32_t a, b;
};

struct tm_mve_layer {
    int32_t out_zero, act_min, act_max, out_c;
    int32_t channels; /* to compute: out_c, or a part of them */
    int32_t more;     /* blocks of 16 taps behind the first; weights of 0 fill up the last */
    const int32_t *groups;
};

/* The same in a parameter struct: as `layer`, or field by field. */
#define TM_MVE_LAYER \
    union { \
        struct tm_mve_layer layer; \
        struct { \
            int32_t out_zero, act_min, act_max, out_c, channels, more; \
            const int32_t *groups; \
        }; \
    };

/* On the stack, where the loops find it without a register. */
#define TM_MVE_ON_STACK(layer) \
    const int32_t more = layer->more; \
    const struct tm_mve_pair from = {layer->out_zero, layer->act_min}; \
    const struct tm_mve_pair up_to = {layer->act_max, layer->out_c};
/* Sums need even registers, output addresses low ones; GCC does not find all of them by itself. */
#define TM_MVE_REGISTERS(layer, output) \
    register int32_t s00 __asm__("r0"), s01 __asm__("r2"), s10 __asm__("r4"), s11 __asm__("r6"); \
    register int8_t *to __asm__("r1") = (output); \
    register const int32_t *w __asm__("r3") = (layer)->groups; \
    register int32_t left __asm__("r12") = (layer)->channels;
#define TM_MVE_STACK [more] "m"(more), [from] "m"(from), [up_to] "m"(up_to)

/* Copies or fills with vectors of 16 bytes, the last one cut short. */
TM_KERNEL void tm_mve_copy(void *to, const void *from, int32_t bytes)
{
    __asm__ volatile("wlstp.8 lr, %[bytes], 2f\n"
                     "1: vldrb.8 q0, [%[from]], #16\n"
                     "vstrb.8 q0, [%[to]], #16\n"
                     "letp lr, 1b\n"
                     "2:"
                     : [to] "+l"(to), [from] "+l"(from)
                     : [bytes] "r"(bytes)
                     : "q0", "lr", "memory");
}

TM_KERNEL void tm_mve_fill(void *to, int32_t value, int32_t bytes)
{
    __asm__ volatile("vdup.8 q0, %[value]\n"
                     "wlstp.8 lr, %[bytes], 2f\n"
                     "1: vstrb.8 q0, [%[to]], #16\n"
                     "letp lr, 1b\n"
                     "2:"
                     : [to] "+l"(to)
                     : [value] "r"(value), [bytes] "r"(bytes)
                     : "q0", "lr", "memory");
}

/* Adds `taps` times eight bytes, `step` apart, to `sum`; those of lanes in `some` where not `all` are
 * wanted. Up to 256 taps fit. */
TM_KERNEL int16x8_t tm_mve_sum_eights(int16x8_t sum, const int8_t *at, int32_t step, int32_t taps,
                                      int32_t all, mve_pred16_t some)
{
    for (int32_t k = 0; k < taps; k++, at += step)
        sum = vaddq_s16(sum, all ? vldrbq_s16(at) : vldrbq_z_s16(at, some));
    return sum;
}

/* One block of taps for two channels and one to three pixels. */
#define TM_MVE_DOT_1(multiply, at) \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    "vldrb.8 %q[t1], [%[a0]" at "\n" \
    multiply " %[s00], %q[t1], %q[t0]\n" \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    multiply " %[s01], %q[t1], %q[t0]\n"

#define TM_MVE_DOT_2(multiply, at) \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    "vldrb.8 %q[t1], [%[a0]" at "\n" \
    multiply " %[s00], %q[t1], %q[t0]\n" \
    "vldrb.8 %q[t2], [%[a1]" at "\n" \
    multiply " %[s10], %q[t2], %q[t0]\n" \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    multiply " %[s01], %q[t1], %q[t0]\n" \
    multiply " %[s11], %q[t2], %q[t0]\n"

#define TM_MVE_DOT_3(multiply, at) \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    "vldrb.8 %q[t1], [%[a0]" at "\n" \
    multiply " %[s00], %q[t1], %q[t0]\n" \
    "vldrb.8 %q[t2], [%[a1]" at "\n" \
    multiply " %[s10], %q[t2], %q[t0]\n" \
    "vldrb.8 %q[t3], [%[a2]" at "\n" \
    multiply " %[s20], %q[t3], %q[t0]\n" \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    multiply " %[s01], %q[t1], %q[t0]\n" \
    multiply " %[s11], %q[t2], %q[t0]\n" \
    multiply " %[s21], %q[t3], %q[t0]\n"

/* All blocks; the first sets the sums, the others add. */
#define TM_MVE_BLOCKS(dot, at) \
    "ldr lr, %[more]\n" \
    dot("vmladav.s8", at) \
    "wls lr, lr, 3f\n" \
    "2:\n" \
    dot("vmladava.s8", at) \
    "le lr, 2b\n" \
    "3:\n"

/* Two sums of each pixel into lanes `low` and `low` + 2. */
#define TM_MVE_LANES_1(high, low) \
    "vmov %q[x0][" high "], %q[x0][" low "], %[s00], %[s01]\n"
#define TM_MVE_LANES_2(high, low) \
    TM_MVE_LANES_1(high, low) "vmov %q[x1][" high "], %q[x1][" low "], %[s10], %[s11]\n"
#define TM_MVE_LANES_3(high, low) \
    TM_MVE_LANES_2(high, low) "vmov %q[x2][" high "], %q[x2][" low "], %[s20], %[s21]\n"

#define TM_MVE_EACH_1(op, rest) op " %q[x0], %q[x0], " rest "\n"
#define TM_MVE_EACH_2(op, rest) TM_MVE_EACH_1(op, rest) op " %q[x1], %q[x1], " rest "\n"
#define TM_MVE_EACH_3(op, rest) TM_MVE_EACH_2(op, rest) op " %q[x2], %q[x2], " rest "\n"

/* 1 less for negative values that will be shifted: halves then go away from zero. */
#define TM_MVE_AWAY(x) \
    "vand %q[t0], %q[" x "], %q[t1]\n" \
    "vshr.s32 %q[t0], %q[t0], #31\n" \
    "vadd.i32 %q[" x "], %q[" x "], %q[t0]\n"
#define TM_MVE_AWAY_1 TM_MVE_AWAY("x0")
#define TM_MVE_AWAY_2 TM_MVE_AWAY("x0") TM_MVE_AWAY("x1")
#define TM_MVE_AWAY_3 TM_MVE_AWAY("x0") TM_MVE_AWAY("x1") TM_MVE_AWAY("x2")

#define TM_MVE_STORE_1 "vpst\nvstrbt.32 %q[x0], [%[to]], #4\n"
#define TM_MVE_STORE_2 \
    "add %[s10], %[to], %[s11]\n" \
    "vpstt\n" \
    "vstrbt.32 %q[x0], [%[to]], #4\n" \
    "vstrbt.32 %q[x1], [%[s10]]\n"
#define TM_MVE_STORE_3 \
    "add %[s10], %[to], %[s11]\n" \
    "add %[s11], %[s10]\n" \
    "vpsttt\n" \
    "vstrbt.32 %q[x0], [%[to]], #4\n" \
    "vstrbt.32 %q[x1], [%[s10]]\n" \
    "vstrbt.32 %q[x2], [%[s11]]\n"

/* The sums x0.. of four channels of one to three pixels to int8, out_c apart. Results below
 * out_zero are not rounded away from zero where a ReLU cuts them off. */
#define TM_MVE_REQUANTIZE(pixels) \
    "vldrw.32 %q[t0], [%[w]], #16\n" \
    TM_MVE_EACH_##pixels("vadd.i32", "%q[t0]") \
    "vldrw.32 %q[t0], [%[w]], #16\n" \
    TM_MVE_EACH_##pixels("vqrdmulh.s32", "%q[t0]") \
    "vldrw.32 %q[t1], [%[w]], #16\n" \
    "ldrd %[s00], %[s01], %[from]\n" \
    "cmp %[s00], %[s01]\n" \
    "ble 4f\n" \
    TM_MVE_AWAY_##pixels \
    "4:\n" \
    TM_MVE_EACH_##pixels("vrshl.s32", "%q[t1]") \
    TM_MVE_EACH_##pixels("vadd.i32", "%[s00]") \
    "vdup.32 %q[t0], %[s01]\n" \
    TM_MVE_EACH_##pixels("vmax.s32", "%q[t0]") \
    "ldrd %[s00], " TM_MVE_APART_##pixels ", %[up_to]\n" \
    "vdup.32 %q[t0], %[s00]\n" \
    TM_MVE_EACH_##pixels("vmin.s32", "%q[t0]") \
    "vctp.32 %[left]\n" \
    TM_MVE_STORE_##pixels
#define TM_MVE_APART_1 "%[s01]"
#define TM_MVE_APART_2 "%[s11]"
#define TM_MVE_APART_3 "%[s11]"

/* Channels 0 and 2 of a group over the taps forwards, then 1 and 3 backwards: so the addresses
 * come back to where they were. */
#define TM_MVE_GROUPS(pixels) \
    "1:\n" \
    TM_MVE_BLOCKS(TM_MVE_DOT_##pixels, "], #16") \
    TM_MVE_LANES_##pixels("2", "0") \
    TM_MVE_BLOCKS(TM_MVE_DOT_##pixels, ", #-16]!") \
    TM_MVE_LANES_##pixels("3", "1") \
    TM_MVE_REQUANTIZE(pixels) \
    "subs %[left], #4\n" \
    "bgt 1b\n"

/* All channels of one to three pixels, whose taps lie `step` bytes apart. A vector of 16
 * weights is loaded once for all of them, so three pixels and two channels take 11 instructions
 * for 96 MACs; more sums than six find no registers. */
TM_KERNEL void tm_mve_pixels(const struct tm_mve_layer *layer, const int8_t *taps, int32_t step,
                             int8_t *output, int32_t pixels)
{
    TM_MVE_ON_STACK(layer)
    TM_MVE_REGISTERS(layer, output)
    register int32_t s20 __asm__("r8"), s21 __asm__("r10");
    register const int8_t *a0 __asm__("r5") = taps;
    register const int8_t *a1 __asm__("r9") = taps + step;
    register const int8_t *a2 __asm__("r11") = taps + 2 * step;
    int32x4_t t0, t1, t2, t3, x0, x1, x2;
    if (pixels == 3)
        __asm__ volatile(TM_MVE_GROUPS(3)
                         : [w] "+r"(w), [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2),
                           [to] "+r"(to), [left] "+r"(left), [s00] "=&r"(s00),
                           [s01] "=&r"(s01), [s10] "=&r"(s10), [s11] "=&r"(s11),
                           [s20] "=&r"(s20), [s21] "=&r"(s21), [t0] "=&w"(t0),
                           [t1] "=&w"(t1), [t2] "=&w"(t2), [t3] "=&w"(t3), [x0] "=&w"(x0),
                           [x1] "=&w"(x1), [x2] "=&w"(x2)
                         : TM_MVE_STACK
                         : "lr", "cc", "memory");
    else if (pixels == 2)
        __asm__ volatile(TM_MVE_GROUPS(2)
                         : [w] "+r"(w), [a0] "+r"(a0), [a1] "+r"(a1), [to] "+r"(to),
                           [left] "+r"(left), [s00] "=&r"(s00), [s01] "=&r"(s01),
                           [s10] "=&r"(s10), [s11] "=&r"(s11), [t0] "=&w"(t0), [t1] "=&w"(t1),
                           [t2] "=&w"(t2), [x0] "=&w"(x0), [x1] "=&w"(x1)
                         : TM_MVE_STACK
                         : "lr", "cc", "memory");
    else
        __asm__ volatile(TM_MVE_GROUPS(1)
                         : [w] "+r"(w), [a0] "+r"(a0), [to] "+r"(to), [left] "+r"(left),
                           [s00] "=&r"(s00), [s01] "=&r"(s01), [t0] "=&w"(t0),
                           [t1] "=&w"(t1), [x0] "=&w"(x0)
                         : TM_MVE_STACK
                         : "lr", "cc", "memory");
}

/* `count` pixels: output pixels follow one another; the taps of each are contiguous and `step`
 * bytes behind those of the one before. Weights of a group: by blocks of 16 taps, channels 0 and
 * 2 by turns, first block first; then channels 1 and 3, last block first. */
TM_MVE_SHARED void tm_mve_dense(const struct tm_mve_layer *layer, const int8_t *a, int32_t step,
                                int8_t *to, int32_t count)
{
    for (; count >= 3; count -= 3, a += 3 * step, to += 3 * layer->out_c)
        tm_mve_pixels(layer, a, step, to, 3);
    if (count == 2)
        tm_mve_pixels(layer, a, step, to, 2);
    else if (count == 1)
        tm_mve_pixels(layer, a, step, to, 1);
}

#endif
