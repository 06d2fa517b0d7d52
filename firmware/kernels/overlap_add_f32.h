/* Frames of each row added up, each `step` samples behind the one before.
 * State: of each row what was added behind the last step, size - step values.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_OVERLAP_ADD_F32_H
#define TM_KERNELS_OVERLAP_ADD_F32_H

#include "tm_kernel.h"

struct overlap_add_f32 {
    int32_t rows, frames, size, step;
};

TM_KERNEL void overlap_add_f32(const struct overlap_add_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                               struct tm_out out, struct tm_out state, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int32_t kept = p->size - p->step;
    const float *a = in.base;
    float *to = out.base, *memory = state.base;
    for (int32_t r = 0; r < p->rows; r++, memory += kept)
        for (int32_t f = 0; f < p->frames; f++, a += p->size, to += p->step)
            for (int32_t i = 0; i < p->size; i++) {
                float *at = i < p->step ? to + i : memory + i - p->step;
                *at = (i < kept ? memory[i] : 0.0f) + a[i];
            }
}

#endif
