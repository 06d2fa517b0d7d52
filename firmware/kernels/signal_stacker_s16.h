/* The last `frames` frames of features, one run in `step`; the first frame stands for the `left`
 * before it. In between, and as long as frames are missing, zeros, and `valid` is false.
 * State: how many runs there were (see below), then the last frames - 1 frames.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SIGNAL_STACKER_S16_H
#define TM_KERNELS_SIGNAL_STACKER_S16_H

#include "tm_kernel.h"

struct signal_stacker_s16 {
    int32_t channels, left, frames, step;
};

TM_KERNEL void signal_stacker_s16(const struct signal_stacker_s16 *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, struct tm_out valid,
                                  struct tm_out state, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int32_t kept = (p->frames - 1) * p->channels, size = p->channels * 2;
    int16_t *to = out.base, *memory = (int16_t *)state.base + 2;
    int32_t *there = state.base; /* frames that count for the next stack, and 1; 0 at first */
    if (*there == 0) {
        for (int32_t i = 0; i < p->frames - 1; i++)
            memcpy(memory + i * p->channels, in.base, (size_t)size);
        *there = p->left + 1;
    }
    const int32_t whole = *there == p->frames;
    *(uint8_t *)valid.base = (uint8_t)whole;
    if (whole) {
        memcpy(to, memory, (size_t)kept * 2);
        memcpy(to + kept, in.base, (size_t)size);
    } else {
        memset(to, 0, (size_t)(kept * 2 + size));
    }
    *there += whole ? 1 - p->step : 1;
    if (kept) {
        memmove(memory, memory + p->channels, (size_t)(kept * 2 - size));
        memcpy(memory + kept - p->channels, in.base, (size_t)size);
    }
}

#endif
