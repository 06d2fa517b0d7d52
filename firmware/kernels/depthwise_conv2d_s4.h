/* Depthwise convolution with int4 weights. Input HWC, weights OHW, two in a byte; output HWC; int8.
 * Output channel c * depth_multiplier + m sees input channel c. Taps outside the image are left out.
 * Scratch: the weights of one output channel as int8, unpacked once for all rows. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S4_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S4_H

#include "tm_int4.h"

struct depthwise_conv2d_s4 {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, dil_h, dil_w, pad_h, pad_w;
    int32_t depth_multiplier;
    int32_t in_zero, out_zero, act_min, act_max;
    const uint8_t *weights;
    const int32_t *bias, *multiplier, *shift; /* one per output channel */
};

/* The products of one window of channel c, whose first tap lies at row iy and column ix. */
TM_KERNEL int32_t depthwise_conv2d_s4_sum(const struct depthwise_conv2d_s4 *p, struct tm_in in,
                                          int32_t iy, int32_t ix, int32_t c, const int8_t *weights)
{
    const int32_t ky1 = tm_last_tap(iy, p->dil_h, p->ker_h, p->in_h);
    const int32_t kx0 = tm_first_tap(ix, p->dil_w);
    const int32_t kx1 = tm_last_tap(ix, p->dil_w, p->ker_w, p->in_w);
    int32_t sum = 0;
    for (int32_t ky = tm_first_tap(iy, p->dil_h); ky < ky1; ky++) {
        const int8_t *row = tm_in_row(in, iy + ky * p->dil_h);
        for (int32_t kx = kx0; kx < kx1; kx++) {
            const int32_t a = row[(ix + kx * p->dil_w) * p->in_c + c] - p->in_zero;
            sum += a * weights[ky * p->ker_w + kx];
        }
    }
    return sum;
}

TM_KERNEL void depthwise_conv2d_s4(const struct depthwise_conv2d_s4 *p, int32_t y0, int32_t y1,
                                   struct tm_in in, struct tm_out out, void *scratch)
{
    const int32_t taps = p->ker_h * p->ker_w;
    for (int32_t o = 0; o < p->out_c; o++) {
        const int32_t c = o / p->depth_multiplier;
        tm_int4_unpack(p->weights, o * taps, taps, scratch);
        for (int32_t y = y0; y < y1; y++) {
            const int32_t iy = y * p->stride_h - p->pad_h;
            int8_t *to = (int8_t *)tm_out_row(out, y) + o;
            for (int32_t x = 0; x < p->out_w; x++, to += p->out_c) {
                const int32_t ix = x * p->stride_w - p->pad_w;
                int32_t sum = p->bias[o] + depthwise_conv2d_s4_sum(p, in, iy, ix, c, scratch);
                sum = tm_rescale(sum, p->multiplier[o], p->shift[o]) + p->out_zero;
                *to = (int8_t)tm_clamp(sum, p->act_min, p->act_max);
            }
        }
    }
}

#endif
