/* Matrix times vector for each of `batches` vectors. Weights [out_n][in_n] of int8; vectors int16.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S16_H
#define TM_KERNELS_FULLY_CONNECTED_S16_H

#include "tm_kernel.h"

struct fully_connected_s16 {
    int32_t batches, in_n, out_n;
    int32_t act_min, act_max;
    int32_t wide; /* whether the sums have 64 bits, and the multipliers 15 */
    const int8_t *weights;
    const int64_t *bias;
    const int32_t *multiplier, *shift; /* one per output */
};

TM_KERNEL void fully_connected_s16(const struct fully_connected_s16 *p, int32_t y0, int32_t y1,
                                   struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int16_t *a = in.base;
    int16_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, a += p->in_n) {
        const int8_t *w = p->weights;
        for (int32_t o = 0; o < p->out_n; o++, w += p->in_n) {
            int64_t sum = p->bias[o];
            for (int32_t i = 0; i < p->in_n; i++)
                sum += a[i] * w[i];
            const int32_t v = tm_rescale_sum(sum, p->wide, p->multiplier[o], p->shift[o]);
            *to++ = (int16_t)tm_clamp(v, p->act_min, p->act_max);
        }
    }
}

#endif
