/* Each step of samples gives a frame: the last samples of its row, `kept` of them from before.
 * State: how many samples are missing in what is kept, then what is kept, of each row.
 * As long as some are missing, frames are zeros and `valid` is false.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SIGNAL_FRAMER_S16_H
#define TM_KERNELS_SIGNAL_FRAMER_S16_H

#include "tm_kernel.h"

struct signal_framer_s16 {
    int32_t rows, frames, size, step, kept;
    int32_t missing; /* at first */
};

/* Adds a step of samples to the end of what is kept. */
TM_KERNEL void signal_framer_s16_keep(const struct signal_framer_s16 *p, int16_t *kept,
                                      const int16_t *in)
{
    const int32_t fresh = tm_min(p->step, p->kept), old = p->kept - fresh;
    memmove(kept, kept + fresh, (size_t)old * 2);
    memcpy(kept + old, in + p->step - fresh, (size_t)fresh * 2);
}

/* All frames of one row; how many samples are missing behind the last. */
TM_KERNEL int32_t signal_framer_s16_row(const struct signal_framer_s16 *p, const int16_t *in,
                                        int16_t *out, int16_t *kept, int32_t missing)
{
    const int32_t old = tm_min(p->kept, p->size);
    for (int32_t f = 0; f < p->frames; f++, in += p->step, out += p->size) {
        if (missing > 0) {
            memset(out, 0, (size_t)p->size * 2);
            missing -= p->step;
        } else {
            memcpy(out, kept, (size_t)old * 2);
            memcpy(out + old, in, (size_t)(p->size - old) * 2);
        }
        signal_framer_s16_keep(p, kept, in);
    }
    return missing;
}

TM_KERNEL void signal_framer_s16(const struct signal_framer_s16 *p, int32_t y0, int32_t y1,
                                 struct tm_in in, struct tm_out out, struct tm_out valid,
                                 struct tm_out state, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int16_t *a = in.base;
    int16_t *to = out.base, *kept = (int16_t *)state.base + 2;
    int32_t *arrived = state.base, missing = p->missing - *arrived;
    *(uint8_t *)valid.base = missing <= 0;
    const int32_t before = missing;
    for (int32_t r = 0; r < p->rows; r++, a += p->frames * p->step, kept += p->kept) {
        missing = signal_framer_s16_row(p, a, to, kept, before);
        to += p->frames * p->size;
    }
    *arrived += before - missing;
}

#endif
