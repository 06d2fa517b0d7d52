/* Zeros, to which runs of `count` values are added where `dims` numbers say. Integers of `size`
 * bytes wrap; `real` marks float32. A run whose index is out of range is left out.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SCATTER_ND_H
#define TM_KERNELS_SCATTER_ND_H

#include "tm_kernel.h"

struct scatter_nd {
    int32_t picks, dims, count, total; /* values of a run, and of the output */
    int32_t size, real;
    int32_t index_bytes;          /* 4 or 8 */
    const int32_t *sizes, *steps; /* of the dimensions picked from; steps in values */
};

TM_KERNEL void scatter_nd_add(const struct scatter_nd *p, const void *from, void *to)
{
    for (int32_t i = 0; i < p->count; i++) {
        if (p->real)
            ((float *)to)[i] += ((const float *)from)[i];
        else if (p->size == 1)
            ((uint8_t *)to)[i] = (uint8_t)(((uint8_t *)to)[i] + ((const uint8_t *)from)[i]);
        else if (p->size == 2)
            ((uint16_t *)to)[i] = (uint16_t)(((uint16_t *)to)[i] + ((const uint16_t *)from)[i]);
        else if (p->size == 4)
            ((uint32_t *)to)[i] += ((const uint32_t *)from)[i];
        else
            ((uint64_t *)to)[i] += ((const uint64_t *)from)[i];
    }
}

TM_KERNEL void scatter_nd(const struct scatter_nd *p, int32_t y0, int32_t y1, struct tm_in index,
                          struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint8_t *from = in.base;
    memset(out.base, 0, (size_t)(p->total * p->size));
    for (int32_t i = 0; i < p->picks; i++, from += p->count * p->size) {
        int32_t at = 0, inside = 1;
        for (int32_t d = 0; d < p->dims; d++) {
            const int32_t k = i * p->dims + d;
            inside &= tm_index_inside(index.base, k, p->index_bytes, p->sizes[d]);
            at += p->steps[d] * tm_index(index.base, k, p->index_bytes, p->sizes[d]);
        }
        if (inside)
            scatter_nd_add(p, from, (uint8_t *)out.base + at * p->size);
    }
}

#endif
