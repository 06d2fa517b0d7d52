/* Mean, or sum, over any of four dimensions of an NHWC float32 tensor. A dimension has its size in keep_* and
 * 1 in sum_*, or the other way round. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_MEAN_F32_H
#define TM_KERNELS_MEAN_F32_H

#include "tm_kernel.h"

struct mean_f32 {
    int32_t keep_n, keep_h, keep_w, keep_c;
    int32_t sum_n, sum_h, sum_w, sum_c;
    float divisor;
};

TM_KERNEL float mean_f32_of(const struct mean_f32 *p, const float *at)
{
    const int32_t c = p->keep_c * p->sum_c, w = p->keep_w * p->sum_w * c;
    const int32_t h = p->keep_h * p->sum_h * w;
    float sum = 0.0f;
    for (int32_t i = 0; i < p->sum_n; i++)
        for (int32_t j = 0; j < p->sum_h; j++)
            for (int32_t k = 0; k < p->sum_w; k++)
                for (int32_t l = 0; l < p->sum_c; l++) {
                    const float v = at[i * h + j * w + k * c + l];
                    sum += v;
                }
    return sum / p->divisor;
}

TM_KERNEL void mean_f32(const struct mean_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                        struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int32_t c = p->keep_c * p->sum_c, w = p->keep_w * p->sum_w * c;
    const int32_t h = p->keep_h * p->sum_h * w;
    const float *a = in.base;
    float *to = out.base;
    for (int32_t i = 0; i < p->keep_n; i++)
        for (int32_t j = 0; j < p->keep_h; j++)
            for (int32_t k = 0; k < p->keep_w; k++)
                for (int32_t l = 0; l < p->keep_c; l++)
                    *to++ = mean_f32_of(p, a + i * h + j * w + k * c + l);
}

#endif
