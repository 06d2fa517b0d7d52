/* depthwise_conv2d_s8 with a 3x3 kernel, for cores whose only multiplication is to 32 bits: a
 * product of two words of two values gives two taps, as tm_thumb.h explains. Channel by channel the
 * inputs are gathered as a plane of words x[i] + x[i + 1] * 2^16, padded with the zero point, which
 * is part of the bias.
 * Cortex-M0, emulated instructions of the keyword spotter, whose other layers stay as they are:
 * 13.1 M with depthwise_conv2d_s8, 10.3 M with this. On Cortex-M3, too, where two outputs in one
 * SMLAL take fewer instructions, but more cycles. Text: about 550 bytes for each layer, or once.
 * scratch: the plane, (rows - 1) * stride_h + 3 rows of `plane_w` words. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3_H

#include "tm_split.h"

struct depthwise_conv2d_s8_3x3 {
    uint16_t in_h, in_w, in_c, out_w, out_c, depth_multiplier;
    uint16_t stride_h, stride_w, pad_h, pad_w;
    int16_t in_zero, act_min, act_max;
    uint16_t plane_w;
    const int8_t *weights;   /* [channel][9] */
    const int32_t *channels; /* [channel][4]: bias, multiplier, addend, shift, see tm_split.h */
};

/* Input rows [first, first + rows) of one channel into a plane full of padding. */
TM_KERNEL void depthwise_conv2d_s8_3x3_gather(const struct depthwise_conv2d_s8_3x3 *p,
                                              struct tm_in in, int32_t c, int32_t first,
                                              int32_t rows, int32_t *plane)
{
    for (int32_t y = tm_max(first, 0); y < tm_min(first + rows, p->in_h); y++) {
        const int8_t *from = (const int8_t *)tm_in_row(in, y) + c;
        int32_t *to = plane + (y - first) * p->plane_w + p->pad_w;
        int32_t now = *from;
        if (p->pad_w)
            to[-1] = p->in_zero + now * (1 << 16);
        for (const int32_t *last = to + p->in_w - 1; to < last; to++) {
            from += p->in_c;
            const int32_t next = *from;
            *to = now + next * (1 << 16);
            now = next;
        }
        *to = now + p->in_zero * (1 << 16);
    }
}

/* The upper half of a sum of products, rounded. */
TM_KERNEL int32_t depthwise_conv2d_s8_3x3_upper(uint32_t products)
{
    return (int32_t)(products + (1 << 15)) >> 16;
}

/* `out_w` outputs of one channel, from plane rows a, b and c on. */
TM_KERNEL void depthwise_conv2d_s8_3x3_row(const struct depthwise_conv2d_s8_3x3 *p,
                                           const uint32_t *a, const uint32_t w[6],
                                           const int32_t *channel, int8_t *to)
{
    const uint32_t *b = a + p->plane_w, *c = b + p->plane_w;
    const int8_t *stop = to + p->out_w * p->out_c;
    for (; to < stop; to += p->out_c, a += p->stride_w, b += p->stride_w, c += p->stride_w) {
        int32_t sum = channel[0];
        sum += depthwise_conv2d_s8_3x3_upper(a[0] * w[0]);
        sum += depthwise_conv2d_s8_3x3_upper(b[0] * w[2]);
        sum += depthwise_conv2d_s8_3x3_upper(c[0] * w[4]);
        sum += (int32_t)(a[2] * w[1] + b[2] * w[3]) >> 16; /* third taps: their lower half is 0 */
        sum += (int32_t)(c[2] * w[5]) >> 16;
        const int32_t v = tm_requantize_split(sum, channel[1], channel[2], channel[3]);
        *to = (int8_t)tm_clamp(v, p->act_min, p->act_max);
    }
}

TM_DRIVER void depthwise_conv2d_s8_3x3(const struct depthwise_conv2d_s8_3x3 *p, int32_t y0,
                                       int32_t y1, struct tm_in in, struct tm_out out,
                                       void *scratch)
{
    int32_t *plane = scratch;
    const int32_t rows = (y1 - y0 - 1) * p->stride_h + 3;
    for (int32_t i = 0; i < rows * p->plane_w; i++)
        plane[i] = p->in_zero * (1 + (1 << 16)); /* the padding is the same for all, and stays */
    const uint32_t multiplier = p->depth_multiplier;
    for (uint32_t o = 0; o < p->out_c; o++) {
        const int8_t *taps = p->weights + 9 * o;
        uint32_t w[6];
        for (int32_t i = 0; i < 3; i++, taps += 3) {
            w[2 * i] = (uint32_t)(taps[1] + taps[0] * (1 << 16));
            w[2 * i + 1] = (uint32_t)(taps[2] * (1 << 16));
        }
        if (o % multiplier == 0)
            depthwise_conv2d_s8_3x3_gather(p, in, (int32_t)(o / multiplier),
                                           y0 * p->stride_h - p->pad_h, rows, plane);
        const int32_t *from = plane;
        for (int32_t y = y0; y < y1; y++, from += p->stride_h * p->plane_w)
            depthwise_conv2d_s8_3x3_row(p, (const uint32_t *)from, w, p->channels + 4 * o,
                                        (int8_t *)tm_out_row(out, y) + o);
    }
}

#endif
