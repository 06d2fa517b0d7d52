/* Runs of `item` bytes picked by number: of each batch item's `outer` parts, `axis` runs long, the
 * runs its `picks` indices name. An index out of range is taken as the nearest in range.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_GATHER_H
#define TM_KERNELS_GATHER_H

#include "tm_kernel.h"

struct gather {
    int32_t batches, outer, axis, picks, item;
    int32_t index_bytes; /* 4 or 8 */
};

TM_KERNEL void gather(const struct gather *p, int32_t y0, int32_t y1, struct tm_in in,
                      struct tm_in index, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint8_t *from = in.base;
    uint8_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++)
        for (int32_t o = 0; o < p->outer; o++, from += p->axis * p->item)
            for (int32_t i = 0; i < p->picks; i++, to += p->item) {
                const int32_t at = tm_index(index.base, n * p->picks + i, p->index_bytes, p->axis);
                memcpy(to, from + at * p->item, (size_t)p->item);
            }
}

#endif
