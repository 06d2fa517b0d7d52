/* A rank-limited filter over the last inputs, int8: each of `filters` filters projects the input
 * to one value, keeps its last `memory` values in state, and weighs these; `rank` filters in a row
 * add up to one output. A value of the state has `wide` bytes, 1 or 2.
 * State: [batches][filters][memory], oldest value first.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SVDF_S8_H
#define TM_KERNELS_SVDF_S8_H

#include "tm_kernel.h"

struct svdf_s8 {
    int32_t batches, inputs, units, rank, memory, wide;
    int32_t in_zero, out_zero, state_zero;
    int32_t in_multiplier, in_shift, out_multiplier, out_shift;
    const int8_t *features; /* [filters][inputs] */
    const int16_t *times;   /* [filters][memory] */
    const int32_t *bias;    /* one per unit */
};

TM_KERNEL int32_t svdf_s8_value(const void *values, int32_t i, int32_t wide)
{
    return wide == 1 ? ((const int8_t *)values)[i] : ((const int16_t *)values)[i];
}

/* Projects the input through filter f and remembers the result; the filter's weighted memory. */
TM_KERNEL int32_t svdf_s8_filter(const struct svdf_s8 *p, const int8_t *a, int32_t f, void *memory)
{
    const int32_t lo = p->wide == 1 ? -128 : -32768, last = p->memory - 1;
    const int8_t *w = p->features + f * p->inputs;
    int32_t sum = 0;
    for (int32_t i = 0; i < p->inputs; i++)
        sum += w[i] * (a[i] - p->in_zero);
    sum = tm_clamp(tm_rescale(sum, p->in_multiplier, p->in_shift), lo, -lo - 1) + p->state_zero;
    memmove(memory, (uint8_t *)memory + p->wide, (size_t)(last * p->wide));
    if (p->wide == 1)
        ((int8_t *)memory)[last] = (int8_t)sum;
    else
        ((int16_t *)memory)[last] = (int16_t)sum;
    sum = 0;
    for (int32_t t = 0; t < p->memory; t++)
        sum += p->times[f * p->memory + t] * (svdf_s8_value(memory, t, p->wide) - p->state_zero);
    return sum;
}

TM_KERNEL void svdf_s8(const struct svdf_s8 *p, int32_t y0, int32_t y1, struct tm_in in,
                       struct tm_out out, struct tm_out state, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int8_t *a = in.base;
    int8_t *to = out.base;
    uint8_t *memory = state.base;
    for (int32_t n = 0; n < p->batches; n++, a += p->inputs)
        for (int32_t u = 0; u < p->units; u++) {
            int32_t sum = p->bias[u];
            for (int32_t r = 0; r < p->rank; r++, memory += p->memory * p->wide)
                sum += svdf_s8_filter(p, a, u * p->rank + r, memory);
            sum = tm_rescale(sum, p->out_multiplier, p->out_shift) + p->out_zero;
            *to++ = (int8_t)tm_clamp(sum, -128, 127);
        }
}

#endif
