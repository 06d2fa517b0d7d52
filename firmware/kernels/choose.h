/* Items of one tensor or of another, as a third of truth values says; each may broadcast: a step
 * of 0 stays in place. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_CHOOSE_H
#define TM_KERNELS_CHOOSE_H

#include "tm_kernel.h"

struct choose {
    int32_t n0, n1, n2, n3, n4; /* output sizes */
    int32_t item;
    const int32_t *when, *yes, *no; /* steps in bytes, five each */
};

TM_KERNEL int32_t choose_at(const int32_t *steps, int32_t i, int32_t j, int32_t k, int32_t l)
{
    return steps[0] * i + steps[1] * j + steps[2] * k + steps[3] * l;
}

TM_KERNEL void choose(const struct choose *p, int32_t y0, int32_t y1, struct tm_in condition,
                      struct tm_in in_yes, struct tm_in in_no, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    uint8_t *to = out.base;
    for (int32_t i = 0; i < p->n0; i++)
        for (int32_t j = 0; j < p->n1; j++)
            for (int32_t k = 0; k < p->n2; k++)
                for (int32_t l = 0; l < p->n3; l++) {
                    const uint8_t *when =
                        (const uint8_t *)condition.base + choose_at(p->when, i, j, k, l);
                    const uint8_t *yes =
                        (const uint8_t *)in_yes.base + choose_at(p->yes, i, j, k, l);
                    const uint8_t *no = (const uint8_t *)in_no.base + choose_at(p->no, i, j, k, l);
                    for (int32_t m = 0; m < p->n4; m++, to += p->item)
                        memmove(to, when[p->when[4] * m] ? yes + p->yes[4] * m : no + p->no[4] * m,
                                (size_t)p->item);
                }
}

#endif
