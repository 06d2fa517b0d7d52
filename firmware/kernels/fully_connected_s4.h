/* Matrix times vector for each of `batches` vectors. Weights [out_n][in_n], int4, two in a byte
 * throughout: a row of odd length ends, and the next begins, within a byte. Vectors int8.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S4_H
#define TM_KERNELS_FULLY_CONNECTED_S4_H

#include "tm_int4.h"

struct fully_connected_s4 {
    int32_t batches, in_n, out_n;
    int32_t in_zero, out_zero, act_min, act_max;
    const uint8_t *weights;
    const int32_t *bias, *multiplier, *shift; /* one per output */
};

/* The products of a vector and the weights from number `first` on. */
TM_KERNEL int32_t fully_connected_s4_sum(const struct fully_connected_s4 *p, const int8_t *a,
                                         int32_t first)
{
    const int32_t odd = first % 2, zero = p->in_zero;
    const uint8_t *w = p->weights + first / 2;
    int32_t sum = odd ? (a[0] - zero) * tm_int4_high(*w++) : 0, i = odd;
    for (; i + 1 < p->in_n; i += 2, w++)
        sum += (a[i] - zero) * tm_int4_low(*w) + (a[i + 1] - zero) * tm_int4_high(*w);
    return i < p->in_n ? sum + (a[i] - zero) * tm_int4_low(*w) : sum;
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
