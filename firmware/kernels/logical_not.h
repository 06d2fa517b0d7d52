/* Logical not of bool. */
#ifndef TM_KERNELS_LOGICAL_NOT_H
#define TM_KERNELS_LOGICAL_NOT_H

#include "tm_kernel.h"

struct logical_not {
    int32_t count; /* values of one row */
};

TM_KERNEL void logical_not(const struct logical_not *p, int32_t y0, int32_t y1, struct tm_in in,
                           struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const uint8_t *a = tm_in_row(in, y);
        uint8_t *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++)
            to[i] = !a[i];
    }
}

#endif
