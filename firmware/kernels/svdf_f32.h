/* A rank-limited filter over the last inputs, float32: each of `filters` filters projects the
 * input to one value, keeps its last `memory` values in state, and weighs these; `rank` filters in
 * a row add up to one output. State: [batches][filters][memory], oldest value first.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SVDF_F32_H
#define TM_KERNELS_SVDF_F32_H

#include "tm_kernel.h"

struct svdf_f32 {
    int32_t batches, inputs, units, rank, memory;
    float act_min, act_max;
    const float *features; /* [filters][inputs] */
    const float *times;    /* [filters][memory] */
    const float *bias;     /* one per unit */
};

TM_KERNEL float svdf_f32_dot(const float *a, const float *b, int32_t count)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Projects the input through filter f and remembers the result; the filter's weighted memory. */
TM_KERNEL float svdf_f32_filter(const struct svdf_f32 *p, const float *a, int32_t f, float *memory)
{
    const int32_t last = p->memory - 1;
    memmove(memory, memory + 1, (size_t)last * sizeof *memory);
    memory[last] = svdf_f32_dot(p->features + f * p->inputs, a, p->inputs);
    return svdf_f32_dot(p->times + f * p->memory, memory, p->memory);
}

TM_KERNEL void svdf_f32(const struct svdf_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                        struct tm_out out, struct tm_out state, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const float *a = in.base;
    float *to = out.base;
    float *memory = state.base;
    for (int32_t n = 0; n < p->batches; n++, a += p->inputs)
        for (int32_t u = 0; u < p->units; u++) {
            float sum = p->bias[u];
            for (int32_t r = 0; r < p->rank; r++, memory += p->memory)
                sum += svdf_f32_filter(p, a, u * p->rank + r, memory);
            *to++ = tm_clamp_f32(sum, p->act_min, p->act_max);
        }
}

#endif
