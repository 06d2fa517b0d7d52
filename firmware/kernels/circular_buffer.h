/* The last `slots` frames of `depth` bytes, oldest first, in place: a new one comes to the end.
 * State: whether the run ends here, and how many runs there were since one last went on; one in
 * `cycles` does. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_CIRCULAR_BUFFER_H
#define TM_KERNELS_CIRCULAR_BUFFER_H

#include "tm_kernel.h"

struct circular_buffer {
    int32_t depth, slots, cycles;
};

TM_KERNEL void circular_buffer(const struct circular_buffer *p, int32_t y0, int32_t y1,
                               struct tm_in in, struct tm_out out, struct tm_out state,
                               void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int32_t kept = (p->slots - 1) * p->depth;
    int8_t *frames = out.base;
    int32_t *waiting = state.base, *runs = waiting + 1;
    memmove(frames, frames + p->depth, (size_t)kept);
    memcpy(frames + kept, in.base, (size_t)p->depth);
    *runs = *runs + 1 < p->cycles ? *runs + 1 : 0;
    *waiting = *runs != 0;
}

#endif
