/* Quotient of two float32 tensors, rounded down. Broadcasting: a step of 0 stays in place. */
#ifndef TM_KERNELS_FLOOR_DIV_F32_H
#define TM_KERNELS_FLOOR_DIV_F32_H

#include <math.h>

#include "tm_kernel.h"

struct floor_div_f32 {
    int32_t width, channels;
    int32_t a_column, a_channel, b_column, b_channel; /* steps in the operands, in values */
};

TM_KERNEL void floor_div_f32(const struct floor_div_f32 *p, int32_t y0, int32_t y1, struct tm_in in_a, struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        float *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++) {
            for (int32_t c = 0; c < p->channels; c++) {
                const float va = a[x * p->a_column + c * p->a_channel];
                const float vb = b[x * p->b_column + c * p->b_channel];
                *to++ = floorf(va / vb);
            }
        }
    }
}

#endif
