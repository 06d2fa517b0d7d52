/* depthwise_conv2d_s8 for cores with the DSP extension: one word holds a tap of four output
 * channels. Weights are doubled, which spares the doubling before SMMULR; the zero point comes in
 * with the sign extension. Behind the last channel it reads up to three bytes that it does not need.
 * Cortex-M4, emulated instructions of the four such layers of the streaming wakeword model: 0.40 M
 * with depthwise_conv2d_s8, 0.19 M with this; 0.47 M and 0.27 M cycles, estimated for STM32L4R5.
 * 5x5 with depth multiplier 2 over 25x5 pixels of 16 channels: 0.71 M and 0.38 M instructions.
 * Text: about 310 bytes for each layer. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S8__DSP_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S8__DSP_H

#include "tm_dsp.h"

struct depthwise_conv2d_s8__dsp {
    int32_t in_h, in_w, in_c, out_w, out_c, depth_multiplier;
    int32_t ker_h, ker_w, stride_h, stride_w, dil_h, dil_w, pad_h, pad_w;
    int32_t minus_zero; /* -zero point of the input in both halves */
    int32_t act_min, act_max;
    const int32_t *weights;  /* [tap][four channels][2]: channels (0, 2) and (1, 3) */
    const int32_t *channels; /* [channel][4]: twice the bias, multiplier, addend, shift */
};

/* The inputs of output channels o and o + 2, o + 1 and o + 3 in a pixel, less the zero point. */
TM_KERNEL void depthwise_conv2d_s8__dsp_load(const struct depthwise_conv2d_s8__dsp *p,
                                             const int8_t *pixel, int32_t o, int32_t *even,
                                             int32_t *odd)
{
    const int32_t m = p->depth_multiplier;
    const uint8_t *at = (const uint8_t *)pixel + o / m;
    if (m == 2) {
        const int32_t two = at[0] | at[1] << 16;
        *even = *odd = tm_even_bytes(p->minus_zero, two);
        return;
    }
    int32_t four;
    if (m == 1) {
        four = tm_load4(at);
    } else if (m % 4 == 0) {
        *even = *odd = tm_even_bytes(p->minus_zero, at[0] | at[0] << 16);
        return;
    } else {
        const uint8_t *first = (const uint8_t *)pixel;
        const uint32_t high = (uint32_t)(first[(o + 2) / m] | first[(o + 3) / m] << 8);
        four = (int32_t)(at[0] | (uint32_t)first[(o + 1) / m] << 8 | high << 16);
    }
    *even = tm_even_bytes(p->minus_zero, four);
    *odd = tm_odd_bytes(p->minus_zero, four);
}

/* Taps [ky0, ky1) x [kx0, kx1) of four channels; tap (0, 0) lies at `offset` in its row. */
TM_KERNEL void depthwise_conv2d_s8__dsp_sum(const struct depthwise_conv2d_s8__dsp *p,
                                            struct tm_in in, int32_t iy, int32_t offset,
                                            int32_t ky0, int32_t ky1, int32_t kx0, int32_t kx1,
                                            int32_t o, int32_t sum[4])
{
    const int32_t words = (p->out_c + 3) / 4 * 2; /* of a tap */
#pragma GCC unroll 1 /* many taps one by one leave no room in a small instruction cache */
    for (int32_t ky = ky0; ky < ky1; ky++) {
        const int8_t *at = (const int8_t *)tm_in_row(in, iy + ky * p->dil_h) + offset;
        const int32_t *w = p->weights + (ky * p->ker_w + kx0) * words + o / 2;
#pragma GCC unroll 1
        for (int32_t kx = kx0; kx < kx1; kx++, w += words) {
            int32_t even, odd;
            depthwise_conv2d_s8__dsp_load(p, at + kx * p->dil_w * p->in_c, o, &even, &odd);
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
            for (int32_t o = 0; o < p->out_c; o += 4, k += 16) {
                int32_t sum[4] = {k[0], k[4], k[8], k[12]};
                depthwise_conv2d_s8__dsp_sum(p, in, iy, ix * p->in_c, ky0, ky1, kx0, kx1, o, sum);
                const int32_t stored = p->out_c % 4 ? tm_min(4, p->out_c - o) : 4;
                for (int32_t i = 0; i < stored; i++)
                    *to++ = (int8_t)tm_requantize_twice(sum[i], k[4 * i + 1], k[4 * i + 2],
                                                        k[4 * i + 3]);
            }
        }
        tm_clamp_bytes(tm_out_row(out, y), p->out_w * p->out_c, p->act_min, p->act_max);
    }
}

#endif
