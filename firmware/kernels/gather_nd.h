/* Runs of `item` bytes, each picked by `dims` numbers. An index out of range is taken as the
 * nearest in range. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_GATHER_ND_H
#define TM_KERNELS_GATHER_ND_H

#include "tm_kernel.h"

struct gather_nd {
    int32_t picks, dims, item;
    int32_t index_bytes;          /* 4 or 8 */
    const int32_t *sizes, *steps; /* of the dimensions picked from; steps in bytes */
};

TM_KERNEL void gather_nd(const struct gather_nd *p, int32_t y0, int32_t y1, struct tm_in in,
                         struct tm_in index, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    uint8_t *to = out.base;
    for (int32_t i = 0; i < p->picks; i++, to += p->item) {
        const uint8_t *from = in.base;
        for (int32_t d = 0; d < p->dims; d++)
            from += p->steps[d] *
                    tm_index(index.base, i * p->dims + d, p->index_bytes, p->sizes[d]);
        memcpy(to, from, (size_t)p->item);
    }
}

#endif
