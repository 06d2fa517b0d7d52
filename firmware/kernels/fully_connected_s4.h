/* Matrix times vector for each of `batches` vectors. Weights [out_n][in_n], int4, two in a byte
 * throughout: a row of odd length ends, and the next begins, within a byte. Vectors int8; their zero
 * point is in the bias. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S4_H
#define TM_KERNELS_FULLY_CONNECTED_S4_H

#include "tm_int4.h"

struct fully_connected_s4 {
    int32_t batches, in_n, out_n;
    int32_t out_zero, act_min, act_max;
    const uint8_t *weights;
    const int32_t *bias, *multiplier, *shift; /* one per output */
};

/* The products of a vector and the weights from number `first` on. */
TM_KERNEL int32_t fully_connected_s4_sum(const struct fully_connected_s4 *p, const int8_t *a,
                                         int32_t first)
{
    const int32_t odd = first % 2, pairs = (p->in_n - odd) / 2;
    const uint8_t *w = p->weights + first / 2;
    int32_t sum = odd ? *a++ * tm_int4_high(*w++) : 0;
    for (int32_t i = 0; i < pairs; i++)
        sum += a[2 * i] * tm_int4_low(w[i]) + a[2 * i + 1] * tm_int4_high(w[i]);
    return odd + 2 * pairs < p->in_n ? sum + a[2 * pairs] * tm_int4_low(w[pairs]) : sum;
}

TM_KERNEL void fully_connected_s4(const struct fully_connected_s4 *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int8_t *a = in.base;
    int8_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, a += p->in_n)
        for (int32_t o = 0; o < p->out_n; o++) {
            int32_t sum = p->bias[o] + fully_connected_s4_sum(p, a, o * p->in_n);
            sum = tm_rescale(sum, p->multiplier[o], p->shift[o]) + p->out_zero;
            *to++ = (int8_t)tm_clamp(sum, p->act_min, p->act_max);
        }
}

#endif
