/* Rows of `item` int8 values picked by number and brought to float32: scale * v, the scale one per
 * row or one for all. An index out of range is taken as the nearest in range.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_GATHER_S8_F32_H
#define TM_KERNELS_GATHER_S8_F32_H

#include "tm_kernel.h"

struct gather_s8_f32 {
    int32_t axis, picks, item;
    int32_t per_row; /* 1: a scale for each row */
    const float *scales;
};

TM_KERNEL void gather_s8_f32(const struct gather_s8_f32 *p, int32_t y0, int32_t y1,
                             struct tm_in in, struct tm_in index, struct tm_out out,
                             void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    float *to = out.base;
    for (int32_t i = 0; i < p->picks; i++) {
        const int32_t at = tm_index(index.base, i, 4, p->axis);
        const int8_t *from = (const int8_t *)in.base + at * p->item;
        const float scale = p->scales[at * p->per_row];
        for (int32_t k = 0; k < p->item; k++)
            *to++ = scale * (float)from[k];
    }
}

#endif
