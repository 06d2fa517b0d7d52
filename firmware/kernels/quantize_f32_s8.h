/* float32 to int8: round(v / scale) + zero_point, halves away from zero, saturating. */
#ifndef TM_KERNELS_QUANTIZE_F32_S8_H
#define TM_KERNELS_QUANTIZE_F32_S8_H

#include "tm_kernel.h"

struct quantize_f32_s8 {
    int32_t count; /* values of one row */
    float scale;
    int32_t zero_point;
};

TM_KERNEL void quantize_f32_s8(const struct quantize_f32_s8 *p, int32_t y0, int32_t y1,
                               struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            const float v = a[i] / p->scale;
            /* Within +-1024 the sum with a half is exact enough to truncate; NaN becomes 0. */
            const float bounded = v > 1024.0f ? 1024.0f : v > -1024.0f ? v : v < 0 ? -1024.0f : 0;
            const int32_t whole = (int32_t)bounded;
            const float rest = bounded - (float)whole;
            const int32_t q = whole + (rest >= 0.5f) - (rest <= -0.5f) + p->zero_point;
            to[i] = (int8_t)tm_clamp(q, -128, 127);
        }
    }
}

#endif
