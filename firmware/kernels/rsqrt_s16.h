/* 1 / sqrt(v) of int16 values of zero point 0; the largest value for those of 0 and below. */
#ifndef TM_KERNELS_RSQRT_S16_H
#define TM_KERNELS_RSQRT_S16_H

#include "tm_root.h"

struct rsqrt_s16 {
    int32_t count; /* values of one row */
    int32_t multiplier, shift;
};

TM_KERNEL void rsqrt_s16(const struct rsqrt_s16 *p, int32_t y0, int32_t y1, struct tm_in in,
                         struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *a = tm_in_row(in, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            int32_t v = 32767, bits;
            if (a[i] > 0) {
                const int32_t inverse = tm_inverse_root(a[i], &bits);
                /* 20 bits are kept below the point in between. */
                const int32_t raised = tm_rescale(1, inverse, bits + 20);
                v = tm_rescale(raised, p->multiplier, p->shift - 20);
            }
            to[i] = (int16_t)tm_clamp(v, -32768, 32767);
        }
    }
}

#endif
