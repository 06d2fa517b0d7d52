/* Integers of one type and scale as those of another, bounded. `from` and `to` are bytes of a
 * value: 1, 2 or 4. */
#ifndef TM_KERNELS_REQUANTIZE_H
#define TM_KERNELS_REQUANTIZE_H

#include "tm_kernel.h"

struct requantize {
    int32_t count; /* values of one row */
    int32_t from, to;
    int32_t in_zero, out_zero, multiplier, shift, act_min, act_max;
};

TM_KERNEL int32_t requantize_get(const void *values, int32_t i, int32_t bytes)
{
    return bytes == 1   ? ((const int8_t *)values)[i]
           : bytes == 2 ? ((const int16_t *)values)[i]
                        : ((const int32_t *)values)[i];
}

/* a + sign * b, wrapping. */
TM_KERNEL int32_t requantize_plus(int32_t a, uint32_t sign, int32_t b)
{
    return (int32_t)((uint32_t)a + sign * (uint32_t)b);
}

TM_KERNEL void requantize_put(void *values, int32_t i, int32_t bytes, int32_t v)
{
    if (bytes == 1)
        ((int8_t *)values)[i] = (int8_t)v;
    else if (bytes == 2)
        ((int16_t *)values)[i] = (int16_t)v;
    else
        ((int32_t *)values)[i] = v;
}

TM_KERNEL void requantize(const struct requantize *p, int32_t y0, int32_t y1, struct tm_in in,
                          struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const void *a = tm_in_row(in, y);
        void *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            const int32_t given = requantize_get(a, i, p->from);
            const int32_t from_zero = requantize_plus(given, -1u, p->in_zero);
            const int32_t scaled = tm_rescale(from_zero, p->multiplier, p->shift);
            const int32_t v = requantize_plus(scaled, 1, p->out_zero);
            requantize_put(to, i, p->to, tm_clamp(v, p->act_min, p->act_max));
        }
    }
}

#endif
