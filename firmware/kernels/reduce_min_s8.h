/* Smallest value over any of four dimensions of an NHWC int8 tensor. A dimension has its size in keep_* and
 * 1 in sum_*, or the other way round. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_REDUCE_MIN_S8_H
#define TM_KERNELS_REDUCE_MIN_S8_H

#include "tm_kernel.h"

struct reduce_min_s8 {
    int32_t keep_n, keep_h, keep_w, keep_c;
    int32_t sum_n, sum_h, sum_w, sum_c;
};

TM_KERNEL int8_t reduce_min_s8_of(const struct reduce_min_s8 *p, const int8_t *at)
{
    const int32_t c = p->keep_c * p->sum_c, w = p->keep_w * p->sum_w * c;
    const int32_t h = p->keep_h * p->sum_h * w;
    int8_t best = *at;
    for (int32_t i = 0; i < p->sum_n; i++)
        for (int32_t j = 0; j < p->sum_h; j++)
            for (int32_t k = 0; k < p->sum_w; k++)
                for (int32_t l = 0; l < p->sum_c; l++) {
                    const int8_t v = at[i * h + j * w + k * c + l];
                    best = v < best ? v : best;
                }
    return best;
}

TM_KERNEL void reduce_min_s8(const struct reduce_min_s8 *p, int32_t y0, int32_t y1, struct tm_in in,
                             struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int32_t c = p->keep_c * p->sum_c, w = p->keep_w * p->sum_w * c;
    const int32_t h = p->keep_h * p->sum_h * w;
    const int8_t *a = in.base;
    int8_t *to = out.base;
    for (int32_t i = 0; i < p->keep_n; i++)
        for (int32_t j = 0; j < p->keep_h; j++)
            for (int32_t k = 0; k < p->keep_w; k++)
                for (int32_t l = 0; l < p->keep_c; l++)
                    *to++ = reduce_min_s8_of(p, a + i * h + j * w + k * c + l);
}

#endif
