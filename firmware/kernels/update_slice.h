/* A tensor with a box of it overwritten by another, the box moved inwards where it would not fit.
 * Takes whole tensors, in place or not: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_UPDATE_SLICE_H
#define TM_KERNELS_UPDATE_SLICE_H

#include "tm_kernel.h"

struct update_slice {
    int32_t total, item;        /* bytes: of the tensor, and of one value */
    int32_t n0, n1, n2, n3, n4; /* sizes of the update */
    int32_t dims, index_bytes;  /* start indices (the last dimensions), bytes of one: 4 or 8 */
    const int32_t *room;        /* how many places each of the five dimensions has for the box */
    const int32_t *steps;       /* bytes from one index of the tensor to the next, five */
};

TM_KERNEL void update_slice(const struct update_slice *p, int32_t y0, int32_t y1,
                            struct tm_in in, struct tm_in update, struct tm_in start,
                            struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint8_t *from = update.base;
    uint8_t *corner = out.base;
    if (in.base != out.base)
        memcpy(out.base, in.base, (size_t)p->total);
    for (int32_t d = 0; d < p->dims; d++) {
        const int32_t at = d + 5 - p->dims;
        corner += p->steps[at] * tm_index(start.base, d, p->index_bytes, p->room[at]);
    }
    for (int32_t i = 0; i < p->n0; i++)
        for (int32_t j = 0; j < p->n1; j++)
            for (int32_t k = 0; k < p->n2; k++)
                for (int32_t l = 0; l < p->n3; l++, from += p->n4 * p->item)
                    memcpy(corner + p->steps[0] * i + p->steps[1] * j + p->steps[2] * k +
                               p->steps[3] * l,
                           from, (size_t)(p->n4 * p->item));
}

#endif
