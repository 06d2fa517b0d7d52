/* depthwise_conv2d_s8 with a 3x3 kernel, stride 1 or 2, for cores with the DSP extension.
 * Four channels at a time are gathered as planes of int16, padded with the zero point (which is
 * part of the bias), so that SMLAD takes two neighbouring taps. Weights are doubled, which spares
 * the doubling before SMMULR.
 * scratch: four planes of (rows - 1) * stride_h + 3 rows of `plane_w` int16. */
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

/* Input rows [first, first + rows) of four channels, with their padding, as four planes. Behind
 * the last channel it reads up to three bytes that it does not need. */
TM_KERNEL void depthwise_conv2d_s8_3x3__dsp_gather(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                                   struct tm_in in, int32_t c, int32_t first,
                                                   int32_t rows, int16_t *plane)
{
    const int32_t size = rows * p->plane_w;
    const int32_t zero = (p->in_zero & 0xFFFF) * 0x10001;
    for (int32_t i = 0; i < 4 * size; i += 2)
        memcpy(plane + i, &zero, 4);
    const int32_t skip = tm_max(-first, 0), end = tm_min(rows, p->in_h - first);
    plane += skip * p->plane_w + p->pad_w;
    for (int32_t y = skip; y < end; y++, plane += p->plane_w) {
        const int8_t *from = (const int8_t *)tm_in_row(in, first + y) + c;
        int16_t *to = plane;
        for (const int16_t *stop = to + p->in_w; to < stop; to++, from += p->in_c) {
            const int32_t bytes = tm_load4(from);
            const int32_t even = tm_even_bytes(0, bytes), odd = tm_odd_bytes(0, bytes);
            to[0] = (int16_t)even;
            to[size] = (int16_t)odd;
            to[2 * size] = (int16_t)(even >> 16);
            to[3 * size] = (int16_t)(odd >> 16);
        }
    }
}

TM_KERNEL int8_t depthwise_conv2d_s8_3x3__dsp_one(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                                  const int16_t *at, const int32_t *w,
                                                  const int32_t *k)
{
    int32_t sum = k[0];
    for (int32_t row = 0; row < 3; row++, at += p->plane_w) {
        sum = tm_smlad(sum, tm_load4(at), w[2 * row]);
        sum = tm_mac_low_high(sum, tm_load4(at + 2), w[2 * row + 1]);
    }
    return (int8_t)tm_requantize_twice(sum, k[1], k[2], k[3]);
}

/* Columns [x, out_w) of one row. */
TM_KERNEL void depthwise_conv2d_s8_3x3__dsp_rest(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                                 const int16_t *row, int32_t x, const int32_t *w,
                                                 const int32_t *k, int8_t *to)
{
    for (; x < p->out_w; x++)
        to[x * p->in_c] = depthwise_conv2d_s8_3x3__dsp_one(p, row + x * p->stride_w, w, k);
}

/* One channel from its plane. */
TM_KERNEL void depthwise_conv2d_s8_3x3__dsp_channel(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                                    int32_t y, int32_t y1, const int16_t *row,
                                                    int32_t c, struct tm_out out)
{
    const int32_t pitch = 2 * p->plane_w, pairs = p->out_w / 2, odd = p->out_w & 1;
    const int fast = p->stride_w == 1 && pairs;
    const int32_t *k = p->channels + 4 * c, *w = p->weights + 6 * c;
    if (fast && !out.ring && p->stride_h == 1) {
        /* An odd row's last pair writes one too many, where the next row begins; so the last row
         * is left. */
        const int32_t many = y1 - y - odd;
        int8_t *to = (int8_t *)tm_out_row(out, y) + c;
        if (many)
            tm_depthwise_3x3(row, pitch, w, k, to, p->in_c, pairs + odd, many, out.row_bytes);
        y += many;
        row += many * p->plane_w;
    }
    for (; y < y1; y++, row += p->stride_h * p->plane_w) {
        int8_t *to = (int8_t *)tm_out_row(out, y) + c;
        if (fast)
            tm_depthwise_3x3(row, pitch, w, k, to, p->in_c, pairs, 1, 0);
        depthwise_conv2d_s8_3x3__dsp_rest(p, row, fast ? 2 * pairs : 0, w, k, to);
    }
}

TM_DRIVER void depthwise_conv2d_s8_3x3__dsp(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                            int32_t y0, int32_t y1, struct tm_in in,
                                            struct tm_out out, void *scratch)
{
    int16_t *planes = scratch;
    const int32_t rows = (y1 - y0 - 1) * p->stride_h + 3;
    for (int32_t c = 0; c < p->in_c; c += 4) {
        depthwise_conv2d_s8_3x3__dsp_gather(p, in, c, y0 * p->stride_h - p->pad_h, rows, planes);
        for (int32_t i = 0; i < tm_min(4, p->in_c - c); i++)
            depthwise_conv2d_s8_3x3__dsp_channel(p, y0, y1, planes + i * rows * p->plane_w, c + i,
                                                 out);
    }
    for (int32_t y = y0; y < y1; y++)
        tm_clamp_bytes(tm_out_row(out, y), p->out_w * p->in_c, p->act_min, p->act_max);
}

#endif
