/* Matrix times vector for each of `batches` vectors. Weights [out_n][in_n]; int8.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S8_H
#define TM_KERNELS_FULLY_CONNECTED_S8_H

#include "tm_kernel.h"

struct fully_connected_s8 {
    int32_t batches, in_n, out_n;
    int32_t in_zero, out_zero, act_min, act_max;
    const int8_t *weights;
    const int32_t *bias, *multiplier, *shift; /* one per output */
};

TM_KERNEL void fully_connected_s8(const struct fully_connected_s8 *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int8_t *a = in.base;
    int8_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, a += p->in_n) {
        const int8_t *w = p->weights;
        for (int32_t o = 0; o < p->out_n; o++, w += p->in_n) {
            int32_t sum = p->bias[o];
            for (int32_t i = 0; i < p->in_n; i++)
                sum += (a[i] - p->in_zero) * w[i];
            sum = tm_rescale(sum, p->multiplier[o], p->shift[o]) + p->out_zero;
            *to++ = (int8_t)tm_clamp(sum, p->act_min, p->act_max);
        }
    }
}

#endif
