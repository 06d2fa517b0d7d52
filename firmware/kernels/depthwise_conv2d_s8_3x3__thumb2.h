/* depthwise_conv2d_s8 with a 3x3 kernel, stride 1 or 2, for Cortex-M3: two rows of outputs share
 * each SMLAL (tm_thumb2.h). Channel by channel, the inputs of the upper and of the lower half of
 * the rows are gathered as one plane of words, padded with the zero point, which is part of the
 * bias.
 * Cortex-M3, emulated instructions of the keyword spotter, whose other layers stay as they are:
 * 6.0 M with depthwise_conv2d_s8, 4.0 M with this. Text: 380 bytes shared by all layers of one
 * stride, and about 600 for each layer, or once where the build is compact.
 * scratch: the plane, `plane_w` words a row. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3__THUMB2_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S8_3X3__THUMB2_H

#include "tm_thumb2.h"

struct depthwise_conv2d_s8_3x3__thumb2 {
    int32_t in_h, in_w, in_c, out_w, out_c, depth_multiplier;
    int32_t stride_h, stride_w, pad_h, pad_w;
    int32_t in_zero, act_min, act_max;
    int32_t plane_w;
    const int32_t *channels; /* [channel][8]: see tm_wide_3x3_by_1 */
};

/* Input rows [first, first + rows) of one channel, and the same `apart` rows further down. */
TM_KERNEL void depthwise_conv2d_s8_3x3__thumb2_gather(
    const struct depthwise_conv2d_s8_3x3__thumb2 *p, struct tm_in in, int32_t c, int32_t first,
    int32_t rows, int32_t apart, int32_t *plane)
{
    const int8_t zero = (int8_t)p->in_zero;
    for (int32_t y = first; y < first + rows; y++, plane += p->plane_w) {
        const int32_t low = y >= 0 && y < p->in_h, high = y + apart >= 0 && y + apart < p->in_h;
        const int8_t *a = low ? (const int8_t *)tm_in_row(in, y) + c : &zero;
        const int8_t *b = high ? (const int8_t *)tm_in_row(in, y + apart) + c : &zero;
        const int32_t a_step = low ? p->in_c : 0, b_step = high ? p->in_c : 0;
        int32_t *to = plane + p->pad_w;
        for (const int32_t *stop = to + p->in_w; to < stop; a += a_step, b += b_step)
            *to++ = *a + *b * (1 << 23);
    }
}

TM_DRIVER void depthwise_conv2d_s8_3x3__thumb2(const struct depthwise_conv2d_s8_3x3__thumb2 *p,
                                               int32_t y0, int32_t y1, struct tm_in in,
                                               struct tm_out out, void *scratch)
{
    int32_t *plane = scratch;
    const int32_t many = out.ring ? 1 : y1 - y0; /* the rows of a ring come one by one */
    const int32_t half = (many + 1) / 2, rows = (half - 1) * p->stride_h + 3;
    for (int32_t i = 0; i < rows * p->plane_w; i++)
        plane[i] = p->in_zero * (1 + (1 << 23)); /* the padding is the same for all, and stays */
    for (int32_t y = y0; y < y1; y += many) {
        for (int32_t o = 0; o < p->out_c; o++) {
            if (o % p->depth_multiplier == 0)
                depthwise_conv2d_s8_3x3__thumb2_gather(p, in, o / p->depth_multiplier,
                                                       y * p->stride_h - p->pad_h, rows,
                                                       half * p->stride_h, plane);
            const int32_t width = (p->out_w + 1) / 2 * 2 * p->stride_w;
            int8_t *low = (int8_t *)tm_out_row(out, y) + o;
            struct tm_wide_3x3 job = {
                .low = low,
                .high = many > 1 ? low + half * out.row_bytes : low,
                .step = p->out_c,
                .columns = p->out_w,
                .row_bytes = out.row_bytes,
                .line = 4 * p->plane_w,
                .skip = 4 * (p->plane_w * p->stride_h - width),
                .rows = half,
                .odd = many % 2,
                .plane = plane,
            };
            if (p->stride_w == 1)
                tm_wide_3x3_by_1(&job, p->channels + 8 * o);
            else
                tm_wide_3x3_by_2(&job, p->channels + 8 * o);
        }
        for (int32_t row = y; row < y + many; row++)
            tm_clamp_bytes(tm_out_row(out, row), p->out_w * p->out_c, p->act_min, p->act_max);
    }
}

#endif
