/* Absolute values of int16, of another scale where `rescale` says so; zero points 0. `most` is
 * 32767, or 32768 where the size of -32768 is to wrap. */
#ifndef TM_KERNELS_ABS_S16_H
#define TM_KERNELS_ABS_S16_H

#include "tm_kernel.h"

struct abs_s16 {
    int32_t count; /* values of one row */
    int32_t rescale, multiplier, shift, most;
};

TM_KERNEL void abs_s16(const struct abs_s16 *p, int32_t y0, int32_t y1, struct tm_in in,
                       struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *a = tm_in_row(in, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            const int32_t size = a[i] < 0 ? -a[i] : a[i];
            const int32_t v = p->rescale ? tm_rescale(size, p->multiplier, p->shift) : size;
            to[i] = (int16_t)tm_min(v, p->most);
        }
    }
}

#endif
