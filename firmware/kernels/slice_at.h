/* A box of a tensor whose corner is computed, moved inwards where it would leave the tensor.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SLICE_AT_H
#define TM_KERNELS_SLICE_AT_H

#include "tm_kernel.h"

struct slice_at {
    int32_t n0, n1, n2, n3;    /* sizes of the box, before its last dimension */
    int32_t run;               /* bytes of its last dimension */
    int32_t dims, index_bytes; /* begin indices (the last dimensions), bytes of one: 4 or 8 */
    const int32_t *room;       /* how many places each of the five dimensions has for the box */
    const int32_t *steps;      /* bytes from one index of the tensor to the next, five */
};

TM_KERNEL void slice_at(const struct slice_at *p, int32_t y0, int32_t y1, struct tm_in in,
                        struct tm_in begin, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint8_t *corner = in.base;
    uint8_t *to = out.base;
    for (int32_t d = 0; d < p->dims; d++) {
        const int32_t at = d + 5 - p->dims;
        corner += p->steps[at] * tm_index(begin.base, d, p->index_bytes, p->room[at]);
    }
    for (int32_t i = 0; i < p->n0; i++)
        for (int32_t j = 0; j < p->n1; j++)
            for (int32_t k = 0; k < p->n2; k++)
                for (int32_t l = 0; l < p->n3; l++, to += p->run)
                    memcpy(to,
                           corner + p->steps[0] * i + p->steps[1] * j + p->steps[2] * k +
                               p->steps[3] * l,
                           (size_t)p->run);
}

#endif
