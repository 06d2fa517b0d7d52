/* The larger of two int64 values, or the smaller where `sign` is -1, broadcasting: a step of 0
 * stays in place. */
#ifndef TM_KERNELS_EXTREME_S64_H
#define TM_KERNELS_EXTREME_S64_H

#include "tm_kernel.h"

struct extreme_s64 {
    int32_t width, channels;
    int32_t a_column, a_channel, b_column, b_channel; /* steps in the operands, in values */
    int32_t sign;
};

TM_KERNEL void extreme_s64(const struct extreme_s64 *p, int32_t y0, int32_t y1, struct tm_in in_a,
                           struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int64_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int64_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++) {
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t ia = x * p->a_column + c * p->a_channel;
                const int32_t ib = x * p->b_column + c * p->b_channel;
                *to++ = (a[ia] > b[ib]) == (p->sign > 0) ? a[ia] : b[ib];
            }
        }
    }
}

#endif
