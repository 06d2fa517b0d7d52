/* Any function of one int8 value, as a table. */
#ifndef TM_KERNELS_LOOKUP_S8_H
#define TM_KERNELS_LOOKUP_S8_H

#include "tm_kernel.h"

struct lookup_s8 {
    int32_t count; /* values of one row */
    const int8_t *table; /* 256, for -128 to 127 */
};

TM_KERNEL void lookup_s8(const struct lookup_s8 *p, int32_t y0, int32_t y1, struct tm_in in,
                         struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++)
            to[i] = p->table[a[i] + 128];
    }
}

#endif
