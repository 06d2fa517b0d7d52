/* A tensor made of places of another: the item of `item` bytes at output index (i, j, k, l, m)
 * lies in the input at byte at0[i] + at1[j] + at2[k] + at3[l] + at4[m]. Where one of these is
 * negative, the item is filled with a value of `size` bytes. Takes whole tensors: y0 and y1 are 0
 * and 1. */
#ifndef TM_KERNELS_COPY_INDEXED_H
#define TM_KERNELS_COPY_INDEXED_H

#include "tm_kernel.h"

struct copy_indexed {
    int32_t n0, n1, n2, n3, n4; /* output sizes */
    int32_t item, size;
    const int32_t *at0, *at1, *at2, *at3, *at4;
    const uint8_t *value;
};

TM_KERNEL uint8_t *copy_indexed_line(const struct copy_indexed *p, const uint8_t *from, uint8_t *to,
                                     int32_t at, int32_t outside)
{
    for (int32_t m = 0; m < p->n4; m++, to += p->item) {
        if ((outside | p->at4[m]) >= 0)
            memcpy(to, from + at + p->at4[m], (size_t)p->item);
        else
            for (int32_t i = 0; i < p->item; i += p->size)
                memcpy(to + i, p->value, (size_t)p->size);
    }
    return to;
}

TM_KERNEL void copy_indexed(const struct copy_indexed *p, int32_t y0, int32_t y1, struct tm_in in,
                            struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint8_t *from = in.base;
    uint8_t *to = out.base;
    for (int32_t i = 0; i < p->n0; i++)
        for (int32_t j = 0; j < p->n1; j++)
            for (int32_t k = 0; k < p->n2; k++)
                for (int32_t l = 0; l < p->n3; l++) {
                    const int32_t at = p->at0[i] + p->at1[j] + p->at2[k] + p->at3[l];
                    const int32_t outside = p->at0[i] | p->at1[j] | p->at2[k] | p->at3[l];
                    to = copy_indexed_line(p, from, to, at, outside);
                }
}

#endif
