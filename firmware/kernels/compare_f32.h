/* Compares two float32 tensors, broadcasting: a step of 0 stays in place. */
#ifndef TM_KERNELS_COMPARE_F32_H
#define TM_KERNELS_COMPARE_F32_H

#include "tm_kernel.h"

struct compare_f32 {
    int32_t width, channels;
    int32_t a_column, a_channel, b_column, b_channel; /* steps in the operands, in values */
    int32_t less, equal, greater; /* what to write where a < b, a = b, a > b: 0 or 1 */
    int32_t unordered;            /* and where one is not a number */
};

TM_KERNEL void compare_f32(const struct compare_f32 *p, int32_t y0, int32_t y1, struct tm_in in_a,
                           struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        uint8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++) {
            for (int32_t c = 0; c < p->channels; c++) {
                const float va = a[x * p->a_column + c * p->a_channel];
                const float vb = b[x * p->b_column + c * p->b_channel];
                *to++ = (uint8_t)(va < vb    ? p->less
                                  : va > vb  ? p->greater
                                  : va == vb ? p->equal
                                             : p->unordered);
            }
        }
    }
}

#endif
