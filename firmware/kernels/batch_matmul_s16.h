/* Products of matrices, int16 of any scales, for three batch dimensions that broadcast: a step of
 * 0 stays in place. Steps count values, so either matrix may be read transposed.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_BATCH_MATMUL_S16_H
#define TM_KERNELS_BATCH_MATMUL_S16_H

#include "tm_kernel.h"

struct batch_matmul_s16 {
    int32_t batch0, batch1, batch2;
    int32_t a_batch0, a_batch1, a_batch2, b_batch0, b_batch1, b_batch2; /* steps */
    int32_t rows, columns, depth;
    int32_t a_row, a_depth, b_depth, b_column; /* steps */
    int32_t multiplier, shift; /* a.scale * b.scale / out.scale, the multiplier of 15 bits */
};

TM_KERNEL int16_t *batch_matmul_s16_one(const struct batch_matmul_s16 *p, const int16_t *a,
                                        const int16_t *b, int16_t *to)
{
    for (int32_t r = 0; r < p->rows; r++) {
        for (int32_t c = 0; c < p->columns; c++) {
            int64_t sum = 0;
            for (int32_t k = 0; k < p->depth; k++)
                sum += (int64_t)a[r * p->a_row + k * p->a_depth] *
                       b[k * p->b_depth + c * p->b_column];
            const int32_t v = tm_rescale_sum(sum, 1, p->multiplier, p->shift);
            *to++ = (int16_t)tm_clamp(v, -32768, 32767);
        }
    }
    return to;
}

TM_KERNEL void batch_matmul_s16(const struct batch_matmul_s16 *p, int32_t y0, int32_t y1,
                                struct tm_in in_a, struct tm_in in_b, struct tm_out out,
                                void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int16_t *a = in_a.base, *b = in_b.base;
    int16_t *to = out.base;
    for (int32_t i = 0; i < p->batch0; i++)
        for (int32_t j = 0; j < p->batch1; j++)
            for (int32_t k = 0; k < p->batch2; k++)
                to = batch_matmul_s16_one(
                    p, a + i * p->a_batch0 + j * p->a_batch1 + k * p->a_batch2,
                    b + i * p->b_batch0 + j * p->b_batch1 + k * p->b_batch2, to);
}

#endif
