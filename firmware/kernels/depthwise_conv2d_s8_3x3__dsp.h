/* depthwise_conv2d_s8 with a 3x3 kernel, stride 1 or 2, for cores with the DSP extension.
 * Four channels at a time are gathered as planes of int16, padded with the zero point (which is
 * part of the bias), so that SMLAD takes two neighbouring taps. Weights are doubled, which spares
 * the doubling before SMMULR.
 * Cortex-M4, emulated instructions of the four such layers of the keyword spotter: 3.06 M with
 * depthwise_conv2d_s8, 0.83 M with this; 3.79 M and 1.05 M cycles, estimated for STM32L4R5.
 * Text: 326 bytes shared, and 356 for each layer, or once where the build is compact.
 * scratch: four planes of (rows - 1) * stride_h + 3 rows of `plane_w` int16. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3__DSP_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3__DSP_H

#include "tm_dsp.h"

struct depthwise_conv2d_s8_3x3__dsp {
    uint16_t in_h, in_w, in_c, out_w, out_c, depth_multiplier;
    uint16_t stride_h, stride_w, pad_h, pad_w;
    int16_t in_zero, act_min, act_max;
    uint16_t rectified; /* 1 where nothing below the zero point is kept */
    uint16_t plane_w;       /* even, so that pairs of columns are aligned words */
    const int32_t *weights; /* [channel][row][2]: taps (0, 1) and (1, 2) */
    const int32_t *channels; /* [channel][4]: twice the bias, multiplier, addend, shift */
};

/* Input rows [first, first + rows) of four channels into four planes. Behind the last channel it
 * reads up to three bytes that it does not need. */
TM_KERNEL void depthwise_conv2d_s8_3x3__dsp_gather(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                                   struct tm_in in, int32_t c, int32_t first,
                                                   int32_t rows, int16_t *plane)
{
    const int32_t size = rows * p->plane_w;
    const int32_t skip = tm_max(-first, 0), end = tm_min(rows, p->in_h - first);
    plane += skip * p->plane_w + p->pad_w;
    for (int32_t y = skip; y < end; y++, plane += p->plane_w) {
        const int8_t *from = (const int8_t *)tm_in_row(in, first + y) + c;
        int16_t *to = plane;
        for (const int16_t *stop = to + p->in_w; to < stop; to++, from += p->in_c)
            tm_spread_planes(to, size, from);
    }
}

TM_DRIVER void depthwise_conv2d_s8_3x3__dsp(const struct depthwise_conv2d_s8_3x3__dsp *p,
                                            int32_t y0, int32_t y1, struct tm_in in,
                                            struct tm_out out, void *scratch)
{
    int16_t *planes = scratch;
    const int32_t rows = (y1 - y0 - 1) * p->stride_h + 3;
    const int32_t many = out.ring ? 1 : y1 - y0; /* the rows of a ring come one by one */
    const int32_t pairs = p->stride_w == 1 ? p->out_w / 2 : 0, singles = p->out_w - 2 * pairs;
    /* The padding is the same for all channels, and stays. */
    const int32_t zero = (p->in_zero & 0xFFFF) * 0x10001;
    for (int32_t i = 0; i < 4 * rows * p->plane_w; i += 2)
        memcpy(planes + i, &zero, 4);
    for (int32_t o = 0; o < p->out_c; o++) {
        const int32_t c = o / p->depth_multiplier;
        if (o % (4 * p->depth_multiplier) == 0)
            depthwise_conv2d_s8_3x3__dsp_gather(p, in, c, y0 * p->stride_h - p->pad_h, rows,
                                                planes);
        const int16_t *plane = planes + c % 4 * rows * p->plane_w;
        for (int32_t y = y0; y < y1; y += many) {
            struct tm_depthwise_3x3 job = {
                .plane = plane + (y - y0) * p->stride_h * p->plane_w,
                .line = 2 * p->plane_w,
                .out = (int8_t *)tm_out_row(out, y) + o,
                .step = p->out_c,
                .span = 2 * pairs * p->out_c,
                .singles = singles,
                .skip = 2 * p->plane_w * p->stride_h - 4 * (pairs + singles),
                .out_skip = out.row_bytes - p->out_w * p->out_c,
                .rows = many,
            };
            if (!TM_SMALL && p->rectified)
                tm_depthwise_3x3_rectified(&job, p->weights + 6 * o, p->channels + 4 * o);
            else
                tm_depthwise_3x3(&job, p->weights + 6 * o, p->channels + 4 * o);
        }
    }
    for (int32_t y = y0; y < y1; y++)
        tm_clamp_bytes(tm_out_row(out, y), p->out_w * p->out_c, p->act_min, p->act_max);
}

#endif
