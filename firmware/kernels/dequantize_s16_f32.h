/* int16 to float32: scale * (v - zero_point). */
#ifndef TM_KERNELS_DEQUANTIZE_S16_F32_H
#define TM_KERNELS_DEQUANTIZE_S16_F32_H

#include "tm_kernel.h"

struct dequantize_s16_f32 {
    int32_t count; /* values of one row */
    float scale;
    int32_t zero_point;
};

TM_KERNEL void dequantize_s16_f32(const struct dequantize_s16_f32 *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *a = tm_in_row(in, y);
        float *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            to[i] = p->scale * (float)(a[i] - p->zero_point);
        }
    }
}

#endif
