/* depthwise_conv2d_s8 with a 3x3 kernel, stride 1 or 2, by blocks of outputs, for cores with the
 * DSP extension: see tm_depthwise.h. Four channels at a time are gathered as planes of int16,
 * padded with the zero point (which is part of the bias). Only for layers with a rectifier.
 * Cortex-M4, emulated instructions of the four such layers of the keyword spotter: 3.06 M with
 * depthwise_conv2d_s8, 0.83 M with depthwise_conv2d_s8_3x3__dsp, 0.54 M with this; 3.79 M, 1.05 M
 * and 0.71 M cycles, estimated for STM32L4R5. Of the first ten of the person detector: 1.79 M and
 * 1.31 M instructions, 2.31 M and 1.68 M cycles.
 * Text: 640 bytes shared for stride 1, 248 for stride 2, and about 900 for each layer.
 * scratch: `pairs` columns of pairs, each of (rows - 1) * stride + 3 rows of four words. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3_BLOCKS__DSP_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3_BLOCKS__DSP_H

#include "tm_depthwise.h"

struct depthwise_conv2d_s8_3x3_blocks__dsp {
    int32_t in_h, in_w, in_c, out_w;
    int32_t stride, pad_h, pad_w; /* pad_w: 0 or 1 */
    int32_t in_zero, act_min, act_max;
    int32_t pairs;           /* of columns of a plane */
    const int32_t *weights;  /* [channel][row][2]: taps (0, 1) and (1, 2) */
    const int32_t *channels; /* [channel][3]: bias, multiplier, addend */
};

/* Input rows [first, first + rows) of four channels as planes. Behind the last channel it reads up
 * to three bytes that it does not need. */
TM_KERNEL void
depthwise_conv2d_s8_3x3_blocks__dsp_gather(const struct depthwise_conv2d_s8_3x3_blocks__dsp *p,
                                           struct tm_in in, int32_t c, int32_t first, int32_t rows,
                                           int32_t *planes)
{
    const int32_t zero = (p->in_zero & 0xFF) * 0x1010101, next = 4 * rows;
    const int32_t begin = tm_max(-first, 0), end = tm_min(rows, p->in_h - first);
    for (int32_t y = begin; y < end; y++) {
        const int8_t *from = (const int8_t *)tm_in_row(in, first + y) + c;
        int32_t *to = planes + 4 * y;
        if (p->pad_w) {
            tm_interleave(to, zero, tm_load4(from));
            from += p->in_c;
            to += next;
        }
#pragma GCC unroll 4
        for (int32_t x = p->pad_w; x + 1 < p->in_w; x += 2, to += next, from += 2 * p->in_c)
            tm_interleave(to, tm_load4(from), tm_load4(from + p->in_c));
        if ((p->in_w - p->pad_w) % 2)
            tm_interleave(to, tm_load4(from), zero);
    }
}

/* What gathering leaves as it is: the padding, which is the same for all channels. */
TM_KERNEL void
depthwise_conv2d_s8_3x3_blocks__dsp_pad(const struct depthwise_conv2d_s8_3x3_blocks__dsp *p,
                                        int32_t first, int32_t rows, int32_t *planes)
{
    const int32_t zero = (p->in_zero & 0xFFFF) * 0x10001;
    const int32_t gathered = (p->pad_w + p->in_w + 1) / 2;
    const int32_t begin = tm_clamp(-first, 0, rows), end = tm_clamp(p->in_h - first, begin, rows);
    for (int32_t x = 0; x < p->pairs; x++, planes += 4 * rows) {
        for (int32_t i = 0; i < 4 * begin; i++)
            planes[i] = zero;
        for (int32_t i = 4 * (x < gathered ? end : begin); i < 4 * rows; i++)
            planes[i] = zero;
    }
}

TM_DRIVER void
depthwise_conv2d_s8_3x3_blocks__dsp(const struct depthwise_conv2d_s8_3x3_blocks__dsp *p, int32_t y0,
                                    int32_t y1, struct tm_in in, struct tm_out out, void *scratch)
{
    int32_t *planes = scratch;
    const int32_t rows = (y1 - y0 - 1) * p->stride + 3;
    const int32_t many = out.ring ? 1 : y1 - y0; /* the rows of a ring come one by one */
    const int32_t first = y0 * p->stride - p->pad_h;
    depthwise_conv2d_s8_3x3_blocks__dsp_pad(p, first, rows, planes);
    for (int32_t c = 0; c < p->in_c; c++) {
        if (c % 4 == 0)
            depthwise_conv2d_s8_3x3_blocks__dsp_gather(p, in, c, first, rows, planes);
        const int32_t *weights = p->weights + 6 * c, *channel = p->channels + 3 * c;
        for (int32_t y = y0; y < y1; y += many) {
            const struct tm_depthwise_blocks job = {
                .plane = planes + c % 4 + (y - y0) * p->stride * 4,
                .pitch = 16 * rows,
                .out = (int8_t *)tm_out_row(out, y) + c,
                .size = 32 * (p->stride == 2 ? many : many / 2),
                .columns = p->out_w,
                .rows = many,
                .step = p->in_c,
                .line = out.row_bytes,
            };
            if (p->stride == 2)
                tm_depthwise_1x2(&job, weights, channel);
            else
                tm_depthwise_2x2(&job, weights, channel);
        }
    }
    for (int32_t y = y0; y < y1; y++)
        tm_clamp_bytes(tm_out_row(out, y), p->out_w * p->in_c, p->act_min, p->act_max);
}

#endif
