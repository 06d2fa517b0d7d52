/* v times the normal distribution's chance to lie below v, approximated by tanh; float32. */
#ifndef TM_KERNELS_GELU_TANH_F32_H
#define TM_KERNELS_GELU_TANH_F32_H

#include <math.h>

#include "tm_kernel.h"

struct gelu_tanh_f32 {
    int32_t count; /* values of one row */
};

TM_KERNEL void gelu_tanh_f32(const struct gelu_tanh_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                             struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in, y);
        float *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            const float v = a[i];
            to[i] = 0.5f * v * (1.0f + tanhf(0.79788456f * v * (1.0f + 0.044715f * v * v)));
        }
    }
}

#endif
