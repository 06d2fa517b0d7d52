/* Running sum along an axis of a float32 tensor, [outer][size][inner]; without the term itself
 * where exclusive. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_CUMSUM_F32_H
#define TM_KERNELS_CUMSUM_F32_H

#include "tm_kernel.h"

struct cumsum_f32 {
    int32_t outer, size, inner;
    int32_t exclusive, reverse;
};

TM_KERNEL void cumsum_f32(const struct cumsum_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                          struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const float *a = in.base;
    float *to = out.base;
    for (int32_t o = 0; o < p->outer; o++) {
        for (int32_t i = 0; i < p->inner; i++) {
            float sum = 0.0f;
            for (int32_t k = 0; k < p->size; k++) {
                const int32_t along = p->reverse ? p->size - 1 - k : k;
                const int32_t at = (o * p->size + along) * p->inner + i;
                const float term = a[at];
                to[at] = p->exclusive ? sum : sum + term;
                sum += term;
            }
        }
    }
}

#endif
