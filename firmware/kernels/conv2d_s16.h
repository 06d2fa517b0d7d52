/* Convolution. Input HWC, weights OHWI (I: channels of one group), output HWC; int16, weights int8.
 * Zero padding: taps outside the image are left out. */
#ifndef TM_KERNELS_CONV2D_S16_H
#define TM_KERNELS_CONV2D_S16_H

#include "tm_kernel.h"

struct conv2d_s16 {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, dil_h, dil_w, pad_h, pad_w;
    int32_t group_in, group_out; /* channels of one group */
    int32_t act_min, act_max;
    int32_t wide; /* whether the sums have 64 bits, and the multipliers 15 */
    const int8_t *weights;
    const int64_t *bias;
    const int32_t *multiplier, *shift; /* one per output channel */
};

TM_KERNEL void conv2d_s16(const struct conv2d_s16 *p, int32_t y0, int32_t y1, struct tm_in in,
                          struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t iy = y * p->stride_h - p->pad_h;
        const int32_t ky0 = tm_first_tap(iy, p->dil_h);
        const int32_t ky1 = tm_last_tap(iy, p->dil_h, p->ker_h, p->in_h);
        int16_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->out_w; x++) {
            const int32_t ix = x * p->stride_w - p->pad_w;
            const int32_t kx0 = tm_first_tap(ix, p->dil_w);
            const int32_t kx1 = tm_last_tap(ix, p->dil_w, p->ker_w, p->in_w);
            for (int32_t o = 0; o < p->out_c; o++) {
                const int32_t first = o / p->group_out * p->group_in;
                int64_t sum = p->bias[o];
                for (int32_t ky = ky0; ky < ky1; ky++) {
                    const int16_t *row = tm_in_row(in, iy + ky * p->dil_h);
                    for (int32_t kx = kx0; kx < kx1; kx++) {
                        const int16_t *a = row + (ix + kx * p->dil_w) * p->in_c + first;
                        const int8_t *w =
                            p->weights + ((o * p->ker_h + ky) * p->ker_w + kx) * p->group_in;
                        for (int32_t i = 0; i < p->group_in; i++)
                            sum += a[i] * w[i];
                    }
                }
                const int32_t v = tm_rescale_sum(sum, p->wide, p->multiplier[o], p->shift[o]);
                *to++ = (int16_t)tm_clamp(v, p->act_min, p->act_max);
            }
        }
    }
}

#endif
