/* average_pool2d_s8 for MVE: sums of eight channels as 16 bits, in windows of at most 256 taps.
 * Cortex-M55, emulated, all 25x5 pixels of 64 channels: 20,562 instructions by average_pool2d_s8,
 * 7,613 by average_pool2d_s8__dsp, 3,947 here. Text: 140 to 230 bytes for each layer. */
#ifndef TM_KERNELS_AVERAGE_POOL2D_S8__MVE_H
#define TM_KERNELS_AVERAGE_POOL2D_S8__MVE_H

#include "tm_mve.h"

struct average_pool2d_s8__mve {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int32_t act_min, act_max;
    int32_t inside; /* 1 where no window reaches out of the image */
};

TM_PIECE int8_t average_pool2d_s8__mve_one(int32_t sum, int32_t count)
{
    return (int8_t)tm_average(sum, count);
}

TM_DRIVER void average_pool2d_s8__mve(const struct average_pool2d_s8__mve *p, int32_t y0,
                                      int32_t y1, struct tm_in in, struct tm_out out,
                                      void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t iy = y * p->stride_h - p->pad_h;
        const int32_t ky0 = p->inside ? 0 : tm_first_tap(iy, 1);
        const int32_t ky1 = p->inside ? p->ker_h : tm_last_tap(iy, 1, p->ker_h, p->in_h);
        int8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->out_w; x++, to += p->out_c) {
            const int32_t ix = x * p->stride_w - p->pad_w;
            const int32_t kx0 = p->inside ? 0 : tm_first_tap(ix, 1);
            const int32_t kx1 = p->inside ? p->ker_w : tm_last_tap(ix, 1, p->ker_w, p->in_w);
            const int32_t count = (ky1 - ky0) * (kx1 - kx0);
            for (int32_t c = 0; c < p->out_c; c += 8) {
                const mve_pred16_t some = vctp16q((uint32_t)(p->out_c - c));
                int16x8_t sum = vdupq_n_s16(0);
                for (int32_t ky = ky0; ky < ky1; ky++) {
                    const int8_t *at = tm_in_row(in, iy + ky);
                    at += (ix + kx0) * p->in_c + c;
                    sum = tm_mve_sum_eights(sum, at, p->in_c, kx1 - kx0, p->out_c % 8 == 0, some);
                }
                int16_t sums[8];
                vst1q_s16(sums, sum);
                const int32_t stored = p->out_c % 8 ? tm_min(8, p->out_c - c) : 8;
                for (int32_t i = 0; i < stored; i++)
                    to[c + i] = average_pool2d_s8__mve_one(sums[i], count);
            }
        }
        tm_clamp_bytes(tm_out_row(out, y), p->out_w * p->out_c, p->act_min, p->act_max);
    }
}

#endif
