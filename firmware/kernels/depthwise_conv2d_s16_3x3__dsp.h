/* depthwise_conv2d_s16 with a 3x3 kernel, stride 1 or 2, for cores with the DSP extension.
 * Two channels at a time are gathered as planes with their padding, so that SMLAD takes two
 * neighbouring taps.
 * Cortex-M4, emulated instructions of the four such layers of a keyword spotter in int16x8: 3.35 M
 * with depthwise_conv2d_s16, 1.50 M with depthwise_conv2d_s16__dsp, 0.72 M with this.
 * Text: 290 bytes shared, 290 more where there are layers with and without RELU, and 230 for each
 * layer, or 700 once where the build is compact.
 * scratch: two planes of (rows - 1) * stride_h + 3 rows of `plane_w` int16. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S16_3X3__DSP_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S16_3X3__DSP_H

#include "tm_dsp16.h"

struct depthwise_conv2d_s16_3x3__dsp {
    uint16_t in_h, in_w, in_c, out_w, out_c, depth_multiplier;
    uint16_t stride_h, stride_w, pad_h, pad_w;
    int16_t act_min, act_max;
    uint16_t plane_w;        /* even, so that pairs of columns are aligned words */
    const int32_t *weights;  /* [channel][row][2]: taps (0, 1) and (1, 2) */
    const int32_t *channels; /* [channel][2]: bias, multiplier */
};

/* Input rows [first, first + rows) of two channels into two planes. Behind the last channel it
 * reads up to two bytes that it does not need. */
TM_KERNEL void depthwise_conv2d_s16_3x3__dsp_gather(const struct depthwise_conv2d_s16_3x3__dsp *p,
                                                    struct tm_in in, int32_t c, int32_t first,
                                                    int32_t rows, int16_t *plane)
{
    const int32_t size = rows * p->plane_w;
    const int32_t skip = tm_max(-first, 0), end = tm_min(rows, p->in_h - first);
    plane += skip * p->plane_w + p->pad_w;
    for (int32_t y = skip; y < end; y++, plane += p->plane_w) {
        const int16_t *from = (const int16_t *)tm_in_row(in, first + y) + c;
        int32_t x = 0;
        for (; x + 2 <= p->in_w; x += 2, from += 2 * p->in_c) {
            const int32_t a = tm_load4(from), b = tm_load4(from + p->in_c);
            tm_store4(plane + x, tm_low_halves(a, b));
            tm_store4(plane + size + x, tm_high_halves(a, b));
        }
        if (x < p->in_w) {
            const int32_t a = tm_load4(from);
            plane[x] = (int16_t)a;
            plane[size + x] = (int16_t)(a >> 16);
        }
    }
}

TM_DRIVER void depthwise_conv2d_s16_3x3__dsp(const struct depthwise_conv2d_s16_3x3__dsp *p,
                                             int32_t y0, int32_t y1, struct tm_in in,
                                             struct tm_out out, void *scratch)
{
    int16_t *planes = scratch;
    const int rectified = !TM_SMALL && p->act_min == 0;
    const int32_t rows = (y1 - y0 - 1) * p->stride_h + 3;
    const int32_t many = out.ring ? 1 : y1 - y0; /* the rows of a ring come one by one */
    const int32_t pairs = p->stride_w == 1 ? p->out_w / 2 : 0, singles = p->out_w - 2 * pairs;
    /* The padding is the same for all channels, and stays. */
    memset(planes, 0, 4 * (size_t)(rows * p->plane_w));
    for (int32_t o = 0; o < p->out_c; o++) {
        const int32_t c = o / p->depth_multiplier;
        if (o % (2 * p->depth_multiplier) == 0)
            depthwise_conv2d_s16_3x3__dsp_gather(p, in, c, y0 * p->stride_h - p->pad_h, rows,
                                                 planes);
        const int16_t *plane = planes + c % 2 * rows * p->plane_w;
        for (int32_t y = y0; y < y1; y += many) {
            struct tm_depthwise16_3x3 job = {
                .plane = plane + (y - y0) * p->stride_h * p->plane_w,
                .line = 2 * p->plane_w,
                .out = (int16_t *)tm_out_row(out, y) + o,
                .step = 2 * p->out_c,
                .span = 4 * pairs * p->out_c,
                .singles = singles,
                .skip = 2 * p->plane_w * p->stride_h - 4 * (pairs + singles),
                .out_skip = out.row_bytes - 2 * p->out_w * p->out_c,
                .rows = many,
            };
            if (rectified)
                tm_depthwise16_3x3_rectified(&job, p->channels + 2 * o, p->weights + 6 * o);
            else
                tm_depthwise16_3x3(&job, p->channels + 2 * o, p->weights + 6 * o);
        }
    }
    for (int32_t y = y0; y < y1; y++)
        tm_clamp_halves(tm_out_row(out, y), p->out_w * p->out_c, rectified ? -32768 : p->act_min,
                        p->act_max);
}

#endif
