/* Softmax over the channels of each pixel, HWC int16 of zero point 0; output scale 2^-15.
 * exponentials[i] is exp(10 * i / 512 - 10), reciprocals[i] is 1 / (1 + i / 512), both of 15 bits;
 * values in between lie on lines. The output holds the exponentials first. */
#ifndef TM_KERNELS_SOFTMAX_S16_H
#define TM_KERNELS_SOFTMAX_S16_H

#include "tm_kernel.h"

struct softmax_s16 {
    int32_t width, channels;
    int32_t multiplier, shift; /* of beta times the input scale, in 10 / 65535 */
    const int16_t *exponentials, *reciprocals; /* 513 */
};

/* Of x from -32768 to 32767, the ends of the table. */
TM_KERNEL int32_t softmax_s16_lookup(const int16_t *table, int32_t x)
{
    const int32_t at = 256 + (x >> 7);
    const int32_t slope = table[at + 1] - table[at];
    return (int16_t)(table[at] + ((slope * (x & 127) + 64) >> 7));
}

/* One pixel, whose largest value is `top`: the exponentials, and their sum. */
TM_KERNEL int32_t softmax_s16_sum(const struct softmax_s16 *p, const int16_t *a, int32_t top,
                                  int16_t *to)
{
    int32_t sum = 0;
    for (int32_t c = 0; c < p->channels; c++) {
        const int32_t x = tm_rescale(a[c] - top, p->multiplier, p->shift) + 32767;
        to[c] = (int16_t)softmax_s16_lookup(p->exponentials, tm_clamp(x, -32768, 32767));
        sum += to[c];
    }
    return sum;
}

TM_KERNEL void softmax_s16(const struct softmax_s16 *p, int32_t y0, int32_t y1, struct tm_in in,
                           struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *a = tm_in_row(in, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++, a += p->channels, to += p->channels) {
            int32_t top = -32768;
            for (int32_t c = 0; c < p->channels; c++)
                top = tm_max(top, a[c]);
            const int32_t sum = softmax_s16_sum(p, a, top, to);
            const int32_t headroom = __builtin_clz((uint32_t)sum);
            /* The sum in [1, 2), less 1, from the table's end on. */
            const int32_t whole = (int32_t)((((int64_t)sum << (headroom - 1)) + (1 << 13)) >> 14);
            const int32_t fraction = tm_clamp(whole - (1 << 15) - (1 << 16), -32768, 32767);
            const int32_t scale = softmax_s16_lookup(p->reciprocals, fraction);
            const int32_t bits = 31 - headroom;
            for (int32_t c = 0; c < p->channels; c++) {
                const int64_t v = ((int64_t)to[c] * scale + (1ll << (bits - 1))) >> bits;
                to[c] = (int16_t)tm_clamp((int32_t)v, 0, 32767);
            }
        }
    }
}

#endif
