/* Sum of float32 tensors. */
#ifndef TM_KERNELS_ADD_N_F32_H
#define TM_KERNELS_ADD_N_F32_H

#include "tm_kernel.h"

struct add_n_f32 {
    int32_t terms, count; /* values of one row */
};

TM_KERNEL void add_n_f32(const struct add_n_f32 *p, int32_t y0, int32_t y1, const struct tm_in *in,
                         const struct tm_out *out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        float *to = tm_out_row(out[0], y);
        for (int32_t i = 0; i < p->count; i++) {
            float sum = 0.0f;
            for (int32_t k = 0; k < p->terms; k++)
                sum += ((const float *)tm_in_row(in[k], y))[i];
            to[i] = sum;
        }
    }
}

#endif
