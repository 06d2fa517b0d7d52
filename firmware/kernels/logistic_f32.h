/* 1 / (1 + exp(-v)), float32. Where 1 + exp(-v) would lose v altogether, exp(v) is closer. */
#ifndef TM_KERNELS_LOGISTIC_F32_H
#define TM_KERNELS_LOGISTIC_F32_H

#include <math.h>

#include "tm_kernel.h"

struct logistic_f32 {
    int32_t count; /* values of one row */
};

TM_KERNEL void logistic_f32(const struct logistic_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                            struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in, y);
        float *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            if (a[i] > 16.619047f)
                to[i] = 1.0f;
            else
                to[i] = a[i] < -9.0f ? expf(a[i]) : 1.0f / (1.0f + expf(-a[i]));
        }
    }
}

#endif
