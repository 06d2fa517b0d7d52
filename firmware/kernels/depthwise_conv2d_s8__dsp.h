/* depthwise_conv2d_s8 with depth multiplier 1 and channels in fours, for cores with the DSP
 * extension: one word holds a tap of four channels. Weights are doubled, which spares the
 * doubling before SMMULR; the zero point comes in with the sign extension.
 * Cortex-M4, emulated instructions of the four such layers of the streaming wakeword model: 0.40 M
 * with depthwise_conv2d_s8, 0.19 M with this; 0.47 M and 0.27 M cycles, estimated for STM32L4R5.
 * Text: about 310 bytes for each layer. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S8__DSP_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S8__DSP_H

#include "tm_dsp.h"

struct depthwise_conv2d_s8__dsp {
    int32_t in_h, in_w, in_c, out_w;
    int32_t ker_h, ker_w, stride_h, stride_w, dil_h, dil_w, pad_h, pad_w;
    int32_t minus_zero; /* -zero point of the input in both halves */
    int32_t act_min, act_max;
    const int32_t *weights;  /* [tap][four channels][2]: channels (0, 2) and (1, 3) */
    const int32_t *channels; /* [channel][4]: twice the bias, multiplier, addend, shift */
};

/* Taps [ky0, ky1) x [kx0, kx1) of four channels from `at`, where tap (0, 0) lies. */
TM_KERNEL void depthwise_conv2d_s8__dsp_sum(const struct depthwise_conv2d_s8__dsp *p,
                                            struct tm_in in, int32_t iy, int32_t offset,
                                            int32_t ky0, int32_t ky1, int32_t kx0, int32_t kx1,
                                            const int32_t *weights, int32_t sum[4])
{
#pragma GCC unroll 1 /* many taps one by one leave no room in a small instruction cache */
    for (int32_t ky = ky0; ky < ky1; ky++) {
        const int8_t *at = (const int8_t *)tm_in_row(in, iy + ky * p->dil_h) + offset;
        const int32_t *w = weights + (ky * p->ker_w + kx0) * (p->in_c / 2);
#pragma GCC unroll 1
        for (int32_t kx = kx0; kx < kx1; kx++, w += p->in_c / 2) {
            const int32_t four = tm_load4(at + kx * p->dil_w * p->in_c);
            const int32_t even = tm_even_bytes(p->minus_zero, four);
            const int32_t odd = tm_odd_bytes(p->minus_zero, four);
            sum[0] = tm_mac_low(sum[0], even, w[0]);
            sum[1] = tm_mac_low(sum[1], odd, w[1]);
            sum[2] = tm_mac_high(sum[2], even, w[0]);
            sum[3] = tm_mac_high(sum[3], odd, w[1]);
        }
    }
}

TM_KERNEL void depthwise_conv2d_s8__dsp(const struct depthwise_conv2d_s8__dsp *p, int32_t y0,
                                        int32_t y1, struct tm_in in, struct tm_out out,
                                        void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t iy = y * p->stride_h - p->pad_h;
        const int32_t ky0 = tm_first_tap(iy, p->dil_h);
        const int32_t ky1 = tm_last_tap(iy, p->dil_h, p->ker_h, p->in_h);
        int8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->out_w; x++) {
            const int32_t ix = x * p->stride_w - p->pad_w;
            const int32_t kx0 = tm_first_tap(ix, p->dil_w);
            const int32_t kx1 = tm_last_tap(ix, p->dil_w, p->ker_w, p->in_w);
            const int32_t *k = p->channels;
            for (int32_t c = 0; c < p->in_c; c += 4, k += 16) {
                int32_t sum[4] = {k[0], k[4], k[8], k[12]};
                depthwise_conv2d_s8__dsp_sum(p, in, iy, ix * p->in_c + c, ky0, ky1, kx0, kx1,
                                             p->weights + c / 2, sum);
                for (int32_t i = 0; i < 4; i++)
                    *to++ = (int8_t)tm_requantize_twice(sum[i], k[4 * i + 1], k[4 * i + 2],
                                                        k[4 * i + 3]);
            }
        }
        tm_clamp_bytes(tm_out_row(out, y), p->out_w * p->in_c, p->act_min, p->act_max);
    }
}

#endif
