/* A part of a tensor, in any order: `count` items of `item` bytes `step` bytes apart, in `outer`
 * loops around. Output row y is filled from input row row_first + y * row_step; where y0 and y1
 * are 0 and 1, from the whole tensor. */
#ifndef TM_KERNELS_COPY_STRIDED_H
#define TM_KERNELS_COPY_STRIDED_H

#include "tm_kernel.h"

struct copy_strided {
    int32_t row_first, row_step;
    int32_t start, item, count, step; /* bytes, except count */
    int32_t outer;                    /* at most 7 */
    const int32_t *sizes, *steps;     /* of the loops, outermost first; steps in bytes */
};

TM_KERNEL void copy_strided(const struct copy_strided *p, int32_t y0, int32_t y1, struct tm_in in,
                            struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const uint8_t *row = tm_in_row(in, p->row_first + y * p->row_step);
        uint8_t *to = tm_out_row(out, y);
        int32_t at = p->start, loop, turns[7] = {0};
        do {
            for (int32_t i = 0; i < p->count; i++, to += p->item)
                memcpy(to, row + at + i * p->step, (size_t)p->item);
            for (loop = p->outer - 1; loop >= 0; loop--) {
                at += p->steps[loop];
                if (++turns[loop] < p->sizes[loop])
                    break;
                at -= p->steps[loop] * p->sizes[loop];
                turns[loop] = 0;
            }
        } while (loop >= 0);
    }
}

#endif
