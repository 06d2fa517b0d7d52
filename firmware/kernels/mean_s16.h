/* Mean over any of four dimensions of an NHWC int16 tensor. A dimension has its size in keep_*
 * and 1 in sum_*, or the other way round. 1/count is part of the multiplier.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_MEAN_S16_H
#define TM_KERNELS_MEAN_S16_H

#include "tm_kernel.h"

struct mean_s16 {
    int32_t keep_n, keep_h, keep_w, keep_c;
    int32_t sum_n, sum_h, sum_w, sum_c;
    int32_t count, in_zero, out_zero, multiplier, shift;
};

TM_KERNEL int32_t mean_s16_sum(const struct mean_s16 *p, const int16_t *at)
{
    const int32_t c = p->keep_c * p->sum_c, w = p->keep_w * p->sum_w * c;
    const int32_t h = p->keep_h * p->sum_h * w;
    int32_t sum = 0;
    for (int32_t i = 0; i < p->sum_n; i++)
        for (int32_t j = 0; j < p->sum_h; j++)
            for (int32_t k = 0; k < p->sum_w; k++)
                for (int32_t l = 0; l < p->sum_c; l++)
                    sum += at[i * h + j * w + k * c + l];
    return sum;
}

TM_KERNEL void mean_s16(const struct mean_s16 *p, int32_t y0, int32_t y1, struct tm_in in,
                        struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int32_t c = p->keep_c * p->sum_c, w = p->keep_w * p->sum_w * c;
    const int32_t h = p->keep_h * p->sum_h * w;
    const int16_t *a = in.base;
    int16_t *to = out.base;
    for (int32_t i = 0; i < p->keep_n; i++)
        for (int32_t j = 0; j < p->keep_h; j++)
            for (int32_t k = 0; k < p->keep_w; k++)
                for (int32_t l = 0; l < p->keep_c; l++) {
                    const int32_t sum = mean_s16_sum(p, a + i * h + j * w + k * c + l);
                    const int32_t v = tm_rescale(sum - p->in_zero * p->count, p->multiplier,
                                                 p->shift);
                    *to++ = (int16_t)tm_clamp(v + p->out_zero, -32768, 32767);
                }
}

#endif
