/* Where along an axis the largest float32 value is, the first of equal ones; `sign` -1: the smallest.
 * The tensor is [outer][size][inner]; the result is int32, or int64 where `words` is 2.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_ARG_MAX_F32_H
#define TM_KERNELS_ARG_MAX_F32_H

#include "tm_kernel.h"

struct arg_max_f32 {
    int32_t outer, size, inner;
    int32_t sign, words;
};

TM_KERNEL void arg_max_f32(const struct arg_max_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                           struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const float *a = in.base;
    int32_t *to = out.base;
    for (int32_t o = 0; o < p->outer; o++, a += p->size * p->inner) {
        for (int32_t i = 0; i < p->inner; i++, to += p->words) {
            int32_t best = 0;
            for (int32_t k = 1; k < p->size; k++) {
                const float v = a[k * p->inner + i], top = a[best * p->inner + i];
                if (p->sign > 0 ? v > top : v < top)
                    best = k;
            }
            to[p->words - 1] = 0; /* the upper half of an int64 */
            to[0] = best;
        }
    }
}

#endif
