/* int16 activations and int8 weights by MVE: dot products of several pixels and channels at a time.
 *
 * Output channels come in groups of four. The operands of a group follow one another in memory: its
 * int8 weights, in blocks of 8 taps, then four int32 each of bias and multiplier. Sums have 32 bits,
 * and are rescaled by VRMULH: ops/_int16.py proves that both are enough.
 *
 * The loops are assembly for the reasons that tm_mve.h gives.
 */
#ifndef TM_MVE16_H
#define TM_MVE16_H

#include "tm_mve.h"

struct tm_mve16_layer {
    int32_t act_min, act_max, out_c;
    int32_t more; /* blocks of 8 taps behind the first; weights of 0 fill up the last */
    const int32_t *groups;
};

#define TM_MVE16_LAYER                                                                             \
    union {                                                                                        \
        struct tm_mve16_layer layer;                                                               \
        struct {                                                                                   \
            int32_t act_min, act_max, out_c, more;                                                 \
            const int32_t *groups;                                                                 \
        };                                                                                         \
    };

/* One block of taps for two channels and one to three pixels. */
#define TM_MVE16_DOT_1(multiply, at)                                                               \
    "vldrb.s16 %q[t0], [%[w]], #8\n"                                                               \
    "vldrh.u16 %q[t1], [%[a0]" at "\n"                                                             \
    multiply " %[s00], %q[t1], %q[t0]\n"                                                           \
    "vldrb.s16 %q[t0], [%[w]], #8\n"                                                               \
    multiply " %[s01], %q[t1], %q[t0]\n"

#define TM_MVE16_DOT_2(multiply, at)                                                               \
    "vldrb.s16 %q[t0], [%[w]], #8\n"                                                               \
    "vldrh.u16 %q[t1], [%[a0]" at "\n"                                                             \
    multiply " %[s00], %q[t1], %q[t0]\n"                                                           \
    "vldrh.u16 %q[t2], [%[a1]" at "\n"                                                             \
    multiply " %[s10], %q[t2], %q[t0]\n"                                                           \
    "vldrb.s16 %q[t0], [%[w]], #8\n"                                                               \
    multiply " %[s01], %q[t1], %q[t0]\n"                                                           \
    multiply " %[s11], %q[t2], %q[t0]\n"

#define TM_MVE16_DOT_3(multiply, at)                                                               \
    "vldrb.s16 %q[t0], [%[w]], #8\n"                                                               \
    "vldrh.u16 %q[t1], [%[a0]" at "\n"                                                             \
    multiply " %[s00], %q[t1], %q[t0]\n"                                                           \
    "vldrh.u16 %q[t2], [%[a1]" at "\n"                                                             \
    multiply " %[s10], %q[t2], %q[t0]\n"                                                           \
    "vldrh.u16 %q[t3], [%[a2]" at "\n"                                                             \
    multiply " %[s20], %q[t3], %q[t0]\n"                                                           \
    "vldrb.s16 %q[t0], [%[w]], #8\n"                                                               \
    multiply " %[s01], %q[t1], %q[t0]\n"                                                           \
    multiply " %[s11], %q[t2], %q[t0]\n"                                                           \
    multiply " %[s21], %q[t3], %q[t0]\n"

/* All blocks; the first sets the sums, the others add. */
#define TM_MVE16_BLOCKS(dot, at)                                                                   \
    "ldr lr, %[more]\n"                                                                            \
    dot("vmladav.s16", at)                                                                         \
    "wls lr, lr, 3f\n"                                                                             \
    "2:\n"                                                                                         \
    dot("vmladava.s16", at)                                                                        \
    "le lr, 2b\n"                                                                                  \
    "3:\n"

#define TM_MVE16_STORE_1 "vpst\nvstrht.32 %q[x0], [%[to]], #8\n"
#define TM_MVE16_STORE_2                                                                           \
    "ldr %[s11], %[apart]\n"                                                                       \
    "add %[s10], %[to], %[s11]\n"                                                                  \
    "vpstt\n"                                                                                      \
    "vstrht.32 %q[x0], [%[to]], #8\n"                                                              \
    "vstrht.32 %q[x1], [%[s10]]\n"
#define TM_MVE16_STORE_3                                                                           \
    "ldr %[s11], %[apart]\n"                                                                       \
    "add %[s10], %[to], %[s11]\n"                                                                  \
    "add %[s11], %[s10]\n"                                                                         \
    "vpsttt\n"                                                                                     \
    "vstrht.32 %q[x0], [%[to]], #8\n"                                                              \
    "vstrht.32 %q[x1], [%[s10]]\n"                                                                 \
    "vstrht.32 %q[x2], [%[s11]]\n"

/* Channels 0 and 2 of a group over the taps forwards, then 1 and 3 backwards: so the addresses
 * come back to where they were. Then the sums x0.. become results. */
#define TM_MVE16_GROUPS(pixels)                                                                    \
    "1:\n"                                                                                         \
    TM_MVE16_BLOCKS(TM_MVE16_DOT_##pixels, "], #16")                                               \
    TM_MVE_LANES_##pixels("2", "0")                                                                \
    TM_MVE16_BLOCKS(TM_MVE16_DOT_##pixels, ", #-16]!")                                             \
    TM_MVE_LANES_##pixels("3", "1")                                                                \
    "vldrw.32 %q[t0], [%[w]], #16\n"                                                               \
    TM_MVE_EACH_##pixels("vadd.i32", "%q[t0]")                                                     \
    "vldrw.32 %q[t0], [%[w]], #16\n"                                                               \
    TM_MVE_EACH_##pixels("vrmulh.s32", "%q[t0]")                                                   \
    "ldrd %[s00], %[s01], %[bounds]\n"                                                             \
    "vdup.32 %q[t0], %[s00]\n"                                                                     \
    TM_MVE_EACH_##pixels("vmax.s32", "%q[t0]")                                                     \
    "vdup.32 %q[t0], %[s01]\n"                                                                     \
    TM_MVE_EACH_##pixels("vmin.s32", "%q[t0]")                                                     \
    "vctp.32 %[left]\n"                                                                            \
    TM_MVE16_STORE_##pixels                                                                        \
    "subs %[left], #4\n"                                                                           \
    "bgt 1b\n"

/* All channels of one to three pixels, whose taps lie `step` values apart. Three pixels and two
 * channels take 11 instructions for 48 products. */
TM_KERNEL void tm_mve16_pixels(const struct tm_mve16_layer *layer, const int16_t *taps,
                               int32_t step, int16_t *output, int32_t pixels)
{
    const int32_t more = layer->more, apart = 2 * layer->out_c;
    const struct tm_mve_pair bounds = {layer->act_min, layer->act_max};
    register int32_t s00 __asm__("r0"), s01 __asm__("r2"), s10 __asm__("r4"), s11 __asm__("r6");
    register int32_t s20 __asm__("r8"), s21 __asm__("r10");
    register int16_t *to __asm__("r1") = output;
    register const int32_t *w __asm__("r3") = layer->groups;
    register int32_t left __asm__("r12") = layer->out_c;
    register const int16_t *a0 __asm__("r5") = taps;
    register const int16_t *a1 __asm__("r9") = taps + step;
    register const int16_t *a2 __asm__("r11") = taps + 2 * step;
    int32x4_t t0, t1, t2, t3, x0, x1, x2;
    if (pixels == 3)
        __asm__ volatile(TM_MVE16_GROUPS(3)
                         : [w] "+r"(w), [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2),
                           [to] "+r"(to), [left] "+r"(left), [s00] "=&r"(s00),
                           [s01] "=&r"(s01), [s10] "=&r"(s10), [s11] "=&r"(s11),
                           [s20] "=&r"(s20), [s21] "=&r"(s21), [t0] "=&w"(t0),
                           [t1] "=&w"(t1), [t2] "=&w"(t2), [t3] "=&w"(t3), [x0] "=&w"(x0),
                           [x1] "=&w"(x1), [x2] "=&w"(x2)
                         : [more] "m"(more), [bounds] "m"(bounds), [apart] "m"(apart)
                         : "lr", "cc", "memory");
    else if (pixels == 2)
        __asm__ volatile(TM_MVE16_GROUPS(2)
                         : [w] "+r"(w), [a0] "+r"(a0), [a1] "+r"(a1), [to] "+r"(to),
                           [left] "+r"(left), [s00] "=&r"(s00), [s01] "=&r"(s01),
                           [s10] "=&r"(s10), [s11] "=&r"(s11), [t0] "=&w"(t0), [t1] "=&w"(t1),
                           [t2] "=&w"(t2), [x0] "=&w"(x0), [x1] "=&w"(x1)
                         : [more] "m"(more), [bounds] "m"(bounds), [apart] "m"(apart)
                         : "lr", "cc", "memory");
    else
        __asm__ volatile(TM_MVE16_GROUPS(1)
                         : [w] "+r"(w), [a0] "+r"(a0), [to] "+r"(to), [left] "+r"(left),
                           [s00] "=&r"(s00), [s01] "=&r"(s01), [t0] "=&w"(t0),
                           [t1] "=&w"(t1), [x0] "=&w"(x0)
                         : [more] "m"(more), [bounds] "m"(bounds)
                         : "lr", "cc", "memory");
}

/* `count` pixels: output pixels follow one another; the taps of each are contiguous and `step`
 * values behind those of the one before. Weights of a group: by blocks of 8 taps, channels 0 and
 * 2 by turns, first block first; then channels 1 and 3, last block first. */
TM_MVE_SHARED void tm_mve16_dense(const struct tm_mve16_layer *layer, const int16_t *a,
                                  int32_t step, int16_t *to, int32_t count)
{
    for (; count >= 3; count -= 3, a += 3 * step, to += 3 * layer->out_c)
        tm_mve16_pixels(layer, a, step, to, 3);
    if (count == 2)
        tm_mve16_pixels(layer, a, step, to, 2);
    else if (count == 1)
        tm_mve16_pixels(layer, a, step, to, 1);
}

#endif
