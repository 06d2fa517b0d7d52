/* The next integer down, float32. */
#ifndef TM_KERNELS_FLOOR_F32_H
#define TM_KERNELS_FLOOR_F32_H

#include <math.h>

#include "tm_kernel.h"

struct floor_f32 {
    int32_t count; /* values of one row */
};

TM_KERNEL void floor_f32(const struct floor_f32 *p, int32_t y0, int32_t y1, struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in, y);
        float *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++)
            to[i] = floorf(a[i]);
    }
}

#endif
