/* Squared magnitudes of complex values (real, imaginary), 0 outside of [start, end).
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SIGNAL_ENERGY_S16_H
#define TM_KERNELS_SIGNAL_ENERGY_S16_H

#include "tm_kernel.h"

struct signal_energy_s16 {
    int32_t start, end, count;
};

TM_KERNEL void signal_energy_s16(const struct signal_energy_s16 *p, int32_t y0, int32_t y1,
                                 struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int16_t *a = in.base;
    uint32_t *to = out.base;
    memset(to, 0, (size_t)p->count * 4);
    for (int32_t i = p->start; i < p->end; i++) {
        const int32_t real = a[2 * i], imaginary = a[2 * i + 1];
        /* Both -32768 give 2^31, which only fits without a sign. */
        to[i] = (uint32_t)(real * real) + (uint32_t)(imaginary * imaginary);
    }
}

#endif
