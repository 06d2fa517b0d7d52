/* Logical and of two bool tensors, broadcasting: a step of 0 stays in place. */
#ifndef TM_KERNELS_LOGICAL_AND_H
#define TM_KERNELS_LOGICAL_AND_H

#include "tm_kernel.h"

struct logical_and {
    int32_t width, channels;
    int32_t a_column, a_channel, b_column, b_channel; /* steps in the operands, in values */
};

TM_KERNEL void logical_and(const struct logical_and *p, int32_t y0, int32_t y1, struct tm_in in_a,
                           struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const uint8_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        uint8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++) {
            for (int32_t c = 0; c < p->channels; c++) {
                *to++ = a[x * p->a_column + c * p->a_channel] & b[x * p->b_column + c * p->b_channel];
            }
        }
    }
}

#endif
