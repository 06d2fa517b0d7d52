/* Convolution with int4 weights. Input HWC, weights OHWI (I: channels of one group), two in a byte;
 * output HWC; int8. Zero padding: taps outside the image are left out.
 * Scratch: the weights of one output channel as int8, unpacked once for all rows. */
#ifndef TM_KERNELS_CONV2D_S4_H
#define TM_KERNELS_CONV2D_S4_H

#include "tm_int4.h"

struct conv2d_s4 {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, dil_h, dil_w, pad_h, pad_w;
    int32_t group_in, group_out; /* channels of one group */
    int32_t in_zero, out_zero, act_min, act_max;
    const uint8_t *weights;
    const int32_t *bias, *multiplier, *shift; /* one per output channel */
};

/* The products of one window, whose first tap lies at row iy, column ix and channel `first`. */
TM_KERNEL int32_t conv2d_s4_sum(const struct conv2d_s4 *p, struct tm_in in, int32_t iy, int32_t ix,
                                int32_t first, const int8_t *weights)
{
    const int32_t ky1 = tm_last_tap(iy, p->dil_h, p->ker_h, p->in_h);
    const int32_t kx0 = tm_first_tap(ix, p->dil_w);
    const int32_t kx1 = tm_last_tap(ix, p->dil_w, p->ker_w, p->in_w);
    int32_t sum = 0;
    for (int32_t ky = tm_first_tap(iy, p->dil_h); ky < ky1; ky++) {
        const int8_t *row = tm_in_row(in, iy + ky * p->dil_h);
        for (int32_t kx = kx0; kx < kx1; kx++) {
            const int8_t *a = row + (ix + kx * p->dil_w) * p->in_c + first;
            const int8_t *w = weights + (ky * p->ker_w + kx) * p->group_in;
            for (int32_t i = 0; i < p->group_in; i++)
                sum += (a[i] - p->in_zero) * w[i];
        }
    }
    return sum;
}

TM_KERNEL void conv2d_s4(const struct conv2d_s4 *p, int32_t y0, int32_t y1, struct tm_in in,
                         struct tm_out out, void *scratch)
{
    const int32_t taps = p->ker_h * p->ker_w * p->group_in;
    for (int32_t o = 0; o < p->out_c; o++) {
        const int32_t first = o / p->group_out * p->group_in;
        tm_int4_unpack(p->weights, o * taps, taps, scratch);
        for (int32_t y = y0; y < y1; y++) {
            const int32_t iy = y * p->stride_h - p->pad_h;
            int8_t *to = (int8_t *)tm_out_row(out, y) + o;
            for (int32_t x = 0; x < p->out_w; x++, to += p->out_c) {
                const int32_t ix = x * p->stride_w - p->pad_w;
                int32_t sum = p->bias[o] + conv2d_s4_sum(p, in, iy, ix, first, scratch);
                sum = tm_rescale(sum, p->multiplier[o], p->shift[o]) + p->out_zero;
                *to = (int8_t)tm_clamp(sum, p->act_min, p->act_max);
            }
        }
    }
}

#endif
