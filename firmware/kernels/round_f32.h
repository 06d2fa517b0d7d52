/* The nearest integer, halves to the even one, float32. */
#ifndef TM_KERNELS_ROUND_F32_H
#define TM_KERNELS_ROUND_F32_H

#include <math.h>

#include "tm_kernel.h"

struct round_f32 {
    int32_t count; /* values of one row */
};

/* As TFLite-Micro has it: what lies between -0.5 and 0 becomes 0, not -0. */
static inline float round_f32_one(float v)
{
    const float below = floorf(v), rest = v - below;
    return rest < 0.5f || (rest == 0.5f && (int32_t)below % 2 == 0) ? below : below + 1.0f;
}

TM_KERNEL void round_f32(const struct round_f32 *p, int32_t y0, int32_t y1, struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in, y);
        float *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++)
            to[i] = round_f32_one(a[i]);
    }
}

#endif
