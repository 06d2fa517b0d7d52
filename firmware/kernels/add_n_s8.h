/* Sum of int8 tensors of one scale, zero point 0. Each term is raised by 19 bits, as in TFLite. */
#ifndef TM_KERNELS_ADD_N_S8_H
#define TM_KERNELS_ADD_N_S8_H

#include "tm_kernel.h"

struct add_n_s8 {
    int32_t terms, count; /* values of one row */
    int32_t out_zero, multiplier, shift;
};

TM_KERNEL void add_n_s8(const struct add_n_s8 *p, int32_t y0, int32_t y1, const struct tm_in *in,
                        const struct tm_out *out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        int8_t *to = tm_out_row(out[0], y);
        for (int32_t i = 0; i < p->count; i++) {
            int32_t sum = 0;
            for (int32_t k = 0; k < p->terms; k++)
                sum += ((const int8_t *)tm_in_row(in[k], y))[i] * (1 << 19);
            const int32_t v = tm_rescale(sum, p->multiplier, p->shift) + p->out_zero;
            to[i] = (int8_t)tm_clamp(v, -128, 127);
        }
    }
}

#endif
