/* Samples of each row as they were `delay` samples ago; zeros at first.
 * State: the last `delay` samples of each row.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SIGNAL_DELAY_S16_H
#define TM_KERNELS_SIGNAL_DELAY_S16_H

#include "tm_kernel.h"

struct signal_delay_s16 {
    int32_t rows, frame, delay;
};

TM_KERNEL void signal_delay_s16(const struct signal_delay_s16 *p, int32_t y0, int32_t y1,
                                struct tm_in in, struct tm_out out, struct tm_out state,
                                void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int32_t old = tm_min(p->delay, p->frame), kept = p->delay - old;
    const int16_t *a = in.base;
    int16_t *to = out.base, *memory = state.base;
    for (int32_t r = 0; r < p->rows; r++, a += p->frame, to += p->frame, memory += p->delay) {
        memcpy(to, memory, (size_t)old * 2);
        memcpy(to + old, a, (size_t)(p->frame - old) * 2);
        memmove(memory, memory + old, (size_t)kept * 2);
        memcpy(memory + kept, a + p->frame - old, (size_t)old * 2);
    }
}

#endif
