/* Frames of samples times weights, shifted right (rounding down) and saturated.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SIGNAL_WINDOW_S16_H
#define TM_KERNELS_SIGNAL_WINDOW_S16_H

#include "tm_kernel.h"

struct signal_window_s16 {
    int32_t frames, size, shift;
    const int16_t *weights; /* one per sample of a frame */
};

TM_KERNEL void signal_window_s16(const struct signal_window_s16 *p, int32_t y0, int32_t y1,
                                 struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int16_t *a = in.base;
    int16_t *to = out.base;
    for (int32_t f = 0; f < p->frames; f++, a += p->size, to += p->size)
        for (int32_t i = 0; i < p->size; i++)
            to[i] = (int16_t)tm_clamp((a[i] * p->weights[i]) >> p->shift, -32768, 32767);
}

#endif
