/* float32 to int16: round(v / scale) + zero_point, halves away from zero, saturating. */
#ifndef TM_KERNELS_QUANTIZE_F32_S16_H
#define TM_KERNELS_QUANTIZE_F32_S16_H

#include "tm_kernel.h"

struct quantize_f32_s16 {
    int32_t count; /* values of one row */
    float scale;
    int32_t zero_point;
};

TM_KERNEL void quantize_f32_s16(const struct quantize_f32_s16 *p, int32_t y0, int32_t y1,
                                struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            const float v = a[i] / p->scale;
            /* Where a float has steps of 1/128 at most a half can be told; NaN becomes 0. */
            const float bounded =
                v > 65536.0f ? 65536.0f : v > -65536.0f ? v : v < 0 ? -65536.0f : 0;
            const int32_t whole = (int32_t)bounded;
            const float rest = bounded - (float)whole;
            const int32_t q = whole + (rest >= 0.5f) - (rest <= -0.5f) + p->zero_point;
            to[i] = (int16_t)tm_clamp(q, -32768, 32767);
        }
    }
}

#endif
