/* Running sum along an axis of an int8 tensor of zero point 0, [outer][size][inner]; without the
 * term itself where exclusive. Terms are raised by 19 bits, as in TFLite.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_CUMSUM_S8_H
#define TM_KERNELS_CUMSUM_S8_H

#include "tm_kernel.h"

struct cumsum_s8 {
    int32_t outer, size, inner;
    int32_t exclusive, reverse;
    int32_t out_zero, multiplier, shift;
};

TM_KERNEL void cumsum_s8(const struct cumsum_s8 *p, int32_t y0, int32_t y1, struct tm_in in,
                         struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int8_t *a = in.base;
    int8_t *to = out.base;
    for (int32_t o = 0; o < p->outer; o++) {
        for (int32_t i = 0; i < p->inner; i++) {
            int32_t sum = 0;
            for (int32_t k = 0; k < p->size; k++) {
                const int32_t along = p->reverse ? p->size - 1 - k : k;
                const int32_t at = (o * p->size + along) * p->inner + i;
                const int32_t term = a[at] * (1 << 19);
                const int32_t here = p->exclusive ? sum : sum + term;
                const int32_t v = tm_rescale(here, p->multiplier, p->shift) + p->out_zero;
                to[at] = (int8_t)tm_clamp(v, -128, 127);
                sum += term;
            }
        }
    }
}

#endif
