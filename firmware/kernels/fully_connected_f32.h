/* Matrix times vector for each of `batches` vectors. Weights [out_n][in_n]; float32.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_FULLY_CONNECTED_F32_H
#define TM_KERNELS_FULLY_CONNECTED_F32_H

#include "tm_kernel.h"

struct fully_connected_f32 {
    int32_t batches, in_n, out_n;
    float act_min, act_max;
    const float *weights, *bias; /* bias: one per output */
};

TM_KERNEL void fully_connected_f32(const struct fully_connected_f32 *p, int32_t y0, int32_t y1,
                                   struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const float *a = in.base;
    float *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, a += p->in_n) {
        const float *w = p->weights;
        for (int32_t o = 0; o < p->out_n; o++, w += p->in_n) {
            float sum = 0.0f;
            for (int32_t i = 0; i < p->in_n; i++)
                sum += a[i] * w[i];
            *to++ = tm_clamp_f32(sum + p->bias[o], p->act_min, p->act_max);
        }
    }
}

#endif
