/* float32 within bounds: RELU and its kin. */
#ifndef TM_KERNELS_CLAMP_F32_H
#define TM_KERNELS_CLAMP_F32_H

#include "tm_kernel.h"

struct clamp_f32 {
    int32_t count; /* values of one row */
    float act_min, act_max;
};

TM_KERNEL void clamp_f32(const struct clamp_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                         struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in, y);
        float *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++)
            to[i] = tm_clamp_f32(a[i], p->act_min, p->act_max);
    }
}

#endif
