/* depthwise_conv2d_s16 for cores with the DSP extension: four output channels of one pixel, or of
 * two that lie beside each other, share each load of weights.
 * Cortex-M4, emulated instructions of 5x5 with depth multiplier 2 over 25x5 pixels of 16 channels:
 * 0.74 M with depthwise_conv2d_s16, 0.42 M with this; of 7x1 over as many of 32: 0.34 M and 0.11 M.
 * Text: 400 to 640 bytes for each layer. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S16__DSP_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S16__DSP_H

#include "tm_dsp16.h"

struct depthwise_conv2d_s16__dsp {
    int32_t in_h, in_w, in_c, out_w, out_c, depth_multiplier;
    int32_t ker_h, ker_w, stride_h, stride_w, dil_h, dil_w, pad_h, pad_w;
    int32_t act_min, act_max;
    const int32_t *weights;  /* [tap][four channels]: bytes of channels 0, 2, 1, 3 */
    const int32_t *channels; /* [four channels][8]: biases, multipliers */
};

/* The inputs of output channels (o, o + 1) and (o + 2, o + 3) in a pixel. */
TM_KERNEL void depthwise_conv2d_s16__dsp_load(const struct depthwise_conv2d_s16__dsp *p,
                                              const int16_t *pixel, int32_t o, int32_t two[2])
{
    const int32_t m = p->depth_multiplier;
    const int16_t *at = pixel + o / m;
    if (m == 1 && (p->out_c % 4 == 0 || o + 4 <= p->out_c)) {
        two[0] = tm_load4(at);
        two[1] = tm_load4(at + 2);
    } else if (m % 4 == 0) {
        two[0] = two[1] = tm_low_halves(at[0], at[0]);
    } else if (m == 2) {
        two[0] = tm_low_halves(at[0], at[0]);
        two[1] = o + 2 < p->out_c ? tm_low_halves(at[1], at[1]) : 0;
    } else {
        const int32_t last = p->out_c - 1;
        two[0] = tm_low_halves(at[0], pixel[tm_min(o + 1, last) / m]);
        two[1] = tm_low_halves(pixel[tm_min(o + 2, last) / m], pixel[tm_min(o + 3, last) / m]);
    }
}

/* Taps [ky0, ky1) x [kx0, kx1) of four channels of `pixels` pixels; tap (0, 0) of the first lies at
 * `offset` in its row. */
TM_KERNEL void depthwise_conv2d_s16__dsp_sum(const struct depthwise_conv2d_s16__dsp *p,
                                             struct tm_in in, int32_t iy, int32_t offset,
                                             int32_t ky0, int32_t ky1, int32_t kx0, int32_t kx1,
                                             int32_t o, int32_t pixels, int32_t sum[8])
{
    const int32_t words = (p->out_c + 3) / 4; /* of a tap */
#pragma GCC unroll 1 /* many taps one by one leave no room in a small instruction cache */
    for (int32_t ky = ky0; ky < ky1; ky++) {
        const int16_t *at = (const int16_t *)tm_in_row(in, iy + ky * p->dil_h) + offset;
        const int32_t *w = p->weights + (ky * p->ker_w + kx0) * words + o / 4;
        at += kx0 * p->dil_w * p->in_c;
#pragma GCC unroll 3
        for (int32_t kx = kx0; kx < kx1; kx++, w += words, at += p->dil_w * p->in_c) {
            const int32_t low = tm_even_bytes(0, *w), high = tm_odd_bytes(0, *w);
            for (int32_t i = 0; i < pixels; i++) {
                int32_t two[2];
                depthwise_conv2d_s16__dsp_load(p, at + i * p->stride_w * p->in_c, o, two);
                sum[4 * i] = tm_mac_low(sum[4 * i], two[0], low);
                sum[4 * i + 1] = tm_mac_high(sum[4 * i + 1], two[0], low);
                sum[4 * i + 2] = tm_mac_low(sum[4 * i + 2], two[1], high);
                sum[4 * i + 3] = tm_mac_high(sum[4 * i + 3], two[1], high);
            }
        }
    }
}

/* Sums of channels [o, o + 4) to outputs, as far as there are such channels. */
TM_KERNEL void depthwise_conv2d_s16__dsp_store(const struct depthwise_conv2d_s16__dsp *p,
                                               const int32_t *sum, const int32_t *multiplier,
                                               int32_t o, int16_t *to)
{
    const int32_t stored = p->out_c % 4 ? tm_min(4, p->out_c - o) : 4;
    for (int32_t i = 0; i < stored; i++) {
        const int32_t v = tm_mul_high_twice(sum[i], multiplier[i]);
        to[o + i] = (int16_t)tm_saturate16(v, p->act_min == 0);
    }
}

TM_KERNEL void depthwise_conv2d_s16__dsp(const struct depthwise_conv2d_s16__dsp *p, int32_t y0,
                                         int32_t y1, struct tm_in in, struct tm_out out,
                                         void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t iy = y * p->stride_h - p->pad_h;
        const int32_t ky0 = tm_first_tap(iy, p->dil_h);
        const int32_t ky1 = tm_last_tap(iy, p->dil_h, p->ker_h, p->in_h);
        int16_t *to = tm_out_row(out, y);
        const int32_t whole = p->in_w - (p->ker_w - 1) * p->dil_w; /* columns for all taps */
        for (int32_t x = 0, pixels; x < p->out_w; x += pixels, to += pixels * p->out_c) {
            const int32_t ix = x * p->stride_w - p->pad_w, offset = ix * p->in_c;
            const int32_t *k = p->channels;
            pixels = !TM_SMALL && ix >= 0 && ix + p->stride_w < whole && x + 1 < p->out_w ? 2 : 1;
            if (pixels == 2) {
                for (int32_t o = 0; o < p->out_c; o += 4, k += 8) {
                    int32_t sum[8] = {k[0], k[1], k[2], k[3], k[0], k[1], k[2], k[3]};
                    depthwise_conv2d_s16__dsp_sum(p, in, iy, offset, ky0, ky1, 0, p->ker_w, o, 2,
                                                  sum);
                    depthwise_conv2d_s16__dsp_store(p, sum, k + 4, o, to);
                    depthwise_conv2d_s16__dsp_store(p, sum + 4, k + 4, o, to + p->out_c);
                }
                continue;
            }
            const int32_t kx0 = tm_first_tap(ix, p->dil_w);
            const int32_t kx1 = tm_last_tap(ix, p->dil_w, p->ker_w, p->in_w);
            for (int32_t o = 0; o < p->out_c; o += 4, k += 8) {
                int32_t sum[8] = {k[0], k[1], k[2], k[3]};
                depthwise_conv2d_s16__dsp_sum(p, in, iy, offset, ky0, ky1, kx0, kx1, o, 1, sum);
                depthwise_conv2d_s16__dsp_store(p, sum, k + 4, o, to);
            }
        }
        tm_clamp_halves(tm_out_row(out, y), p->out_w * p->out_c,
                        p->act_min == 0 ? -32768 : p->act_min, p->act_max);
    }
}

#endif
