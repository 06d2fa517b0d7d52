/* Softmax over the channels of each pixel, HWC int8 to int16 of scale 2^-16, zero point -32768.
 * exponentials[d] is exp(-beta * scale * d) in Q0.31, computed at build time by the same
 * fixed-point steps TFLite takes, so the results are equal bit for bit. */
#ifndef TM_KERNELS_SOFTMAX_S8_S16_H
#define TM_KERNELS_SOFTMAX_S8_S16_H

#include "tm_kernel.h"

struct softmax_s8_s16 {
    int32_t width, channels;
    const int32_t *exponentials; /* 256 */
};

TM_KERNEL void softmax_s8_s16(const struct softmax_s8_s16 *p, int32_t y0, int32_t y1,
                              struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++, a += p->channels, to += p->channels) {
            int32_t top = -128, sum = 0;
            for (int32_t c = 0; c < p->channels; c++)
                top = tm_max(top, a[c]);
            for (int32_t c = 0; c < p->channels; c++)
                sum += tm_shift_right(p->exponentials[top - a[c]], 12);
            const int32_t headroom = __builtin_clz((uint32_t)sum);
            const int32_t fraction = (int32_t)(((uint32_t)sum << headroom) - (1u << 31));
            const int32_t scale = tm_reciprocal(fraction);
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t v = tm_mul_high(p->exponentials[top - a[c]], scale);
                to[c] = (int16_t)tm_clamp(tm_shift_right(v, 27 - headroom) - 32768, -32768, 32767);
            }
        }
    }
}

#endif
