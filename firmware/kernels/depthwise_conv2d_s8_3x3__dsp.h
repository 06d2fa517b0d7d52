/* depthwise_conv2d_s8 with a 3x3 kernel, stride 1 or 2, for cores with the DSP extension.
 * One channel after the other: its plane is gathered as int16, padded with the zero point (which
 * is part of the bias), so that SMLAD takes two neighbouring taps. Weights are doubled, which
 * spares the doubling before SMMULR.
 * scratch: the plane, (rows - 1) * stride_h + 3 rows of `plane_w` int16. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3__DSP_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3__DSP_H

#include "tm_dsp.h"

struct depthwise_conv2d_s8_3x3__dsp {
    int32_t in_h, in_w, in_c, out_w;
    int32_t stride_h, stride_w, pad_h, pad_w;
    int32_t in_zero, act_min, act_max;
    int32_t plane_w;        /* even, so that pairs of columns are aligned words */
    const int32_t *weights; /* [channel][row][2]: taps (0, 1) and (1, 2) */
    const int32_t *channels; /* [channel][4]: twice the bias, multiplier, addend, shift */
};

/* Input rows [first, first + rows) of one channel, with its padding. */
TM_KERNEL void depthwise_conv2d_s8_3x3__dsp_gather(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                                   struct tm_in in, int32_t c, int32_t first,
                                                   int32_t rows, int16_t *plane)
{
    for (int32_t y = first; y < first + rows; y++, plane += p->plane_w) {
        const int inside = y >= 0 && y < p->in_h;
        const int8_t *from = inside ? (const int8_t *)tm_in_row(in, y) + c : 0;
        const int32_t width = inside ? p->in_w : 0;
        int16_t *to = plane;
        for (int32_t x = 0; x < p->pad_w; x++)
            *to++ = (int16_t)p->in_zero;
        for (int32_t x = 0; x < width; x++, from += p->in_c)
            *to++ = *from;
        while (to < plane + p->plane_w)
            *to++ = (int16_t)p->in_zero;
    }
}

/* Two outputs beside each other from the plane at `at`. */
TM_KERNEL void depthwise_conv2d_s8_3x3__dsp_two(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                                const int16_t *at, const int32_t *w,
                                                int32_t sum[2])
{
    for (int32_t row = 0; row < 3; row++, at += p->plane_w) {
        const int32_t first = tm_load4(at), second = tm_load4(at + 2);
        const int32_t w01 = w[2 * row], w12 = w[2 * row + 1];
        sum[0] = tm_smlad(sum[0], first, w01);
        sum[0] = tm_mac_low_high(sum[0], second, w12);
        if (p->stride_w == 1) {
            sum[1] = tm_mac_high_low(sum[1], first, w01);
            sum[1] = tm_smlad(sum[1], second, w12);
        } else {
            sum[1] = tm_smlad(sum[1], second, w01);
            sum[1] = tm_mac_low_high(sum[1], tm_load4(at + 4), w12);
        }
    }
}

TM_KERNEL void depthwise_conv2d_s8_3x3__dsp(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                            int32_t y0, int32_t y1, struct tm_in in,
                                            struct tm_out out, void *scratch)
{
    int16_t *plane = scratch;
    const int32_t rows = (y1 - y0 - 1) * p->stride_h + 3;
    for (int32_t c = 0; c < p->in_c; c++) {
        depthwise_conv2d_s8_3x3__dsp_gather(p, in, c, y0 * p->stride_h - p->pad_h, rows, plane);
        const int32_t *k = p->channels + 4 * c;
        const int32_t bias = k[0], multiplier = k[1], addend = k[2], shift = k[3];
        int32_t w[6];
        for (int32_t i = 0; i < 6; i++)
            w[i] = p->weights[6 * c + i];
        const int16_t *row = plane;
        for (int32_t y = y0; y < y1; y++, row += p->stride_h * p->plane_w) {
            int8_t *to = (int8_t *)tm_out_row(out, y) + c;
            const int16_t *at = row;
            for (int32_t x = 0; x < p->out_w; x += 2, at += 2 * p->stride_w) {
                int32_t sum[2] = {bias, bias};
                depthwise_conv2d_s8_3x3__dsp_two(p, at, w, sum);
                *to = (int8_t)tm_requantize_twice(sum[0], multiplier, addend, shift);
                to += p->in_c;
                if (x + 1 < p->out_w) {
                    *to = (int8_t)tm_requantize_twice(sum[1], multiplier, addend, shift);
                    to += p->in_c;
                }
            }
        }
    }
    for (int32_t y = y0; y < y1; y++)
        tm_clamp_bytes(tm_out_row(out, y), p->out_w * p->in_c, p->act_min, p->act_max);
}

#endif
