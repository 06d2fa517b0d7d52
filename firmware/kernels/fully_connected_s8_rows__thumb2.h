/* fully_connected_s8 for Cortex-M3, of few outputs or of sums beyond 24 bits: rows of weights as
 * the model has them, up to four at a time. The zero point of the input is part of the biases.
 * Takes whole tensors: y0 and y1 are 0 and 1.
 * Cortex-M3, emulated, 256 inputs, one and four outputs: 1,573 and 6,299 instructions by
 * fully_connected_s8, 4,079 by fully_connected_s8__thumb2 for either, 987 and 2,610 here. Text: 190
 * to 1,130 bytes for each layer. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S8_ROWS__THUMB2_H
#define TM_KERNELS_FULLY_CONNECTED_S8_ROWS__THUMB2_H

#include "tm_kernel.h"

struct fully_connected_s8_rows__thumb2 {
    int32_t batches, in_n, out_n, act_min, act_max;
    const int8_t *weights;   /* [output][in_n] */
    const int32_t *channels; /* [output][4]: bias, multiplier, addend, shift, see tm_dsp.h */
};

/* `rows` outputs, 1 to 4, known where this is inlined. */
TM_KERNEL void fully_connected_s8_rows__thumb2_sums(const int8_t *a, const int8_t *w0, int32_t in_n,
                                                    int32_t rows, int32_t *sums)
{
    const int8_t *w1 = w0 + (rows > 1 ? in_n : 0), *w2 = w1 + (rows > 2 ? in_n : 0);
    const int8_t *w3 = w2 + (rows > 3 ? in_n : 0);
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    TM_UNROLL_8
    for (const int8_t *end = a + in_n; a < end; a++) {
        const int32_t x = *a;
        s0 += x * *w0++;
        if (rows > 1)
            s1 += x * *w1++;
        if (rows > 2)
            s2 += x * *w2++;
        if (rows > 3)
            s3 += x * *w3++;
    }
    const int32_t all[4] = {s0, s1, s2, s3};
    for (int32_t i = 0; i < rows; i++)
        sums[i] = all[i];
}

TM_DRIVER void fully_connected_s8_rows__thumb2(const struct fully_connected_s8_rows__thumb2 *p,
                                               int32_t y0, int32_t y1, struct tm_in in,
                                               struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int32_t most = TM_SMALL ? 1 : 4;
    const int8_t *a = in.base;
    int8_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, a += p->in_n) {
        const int32_t *channel = p->channels;
        for (int32_t o = 0; o < p->out_n; o += most) {
            const int32_t rows = tm_min(p->out_n - o, most);
            const int8_t *w = p->weights + o * p->in_n;
            int32_t sums[4];
            if (most > 1 && rows == 4)
                fully_connected_s8_rows__thumb2_sums(a, w, p->in_n, 4, sums);
            else if (most > 1 && rows == 3)
                fully_connected_s8_rows__thumb2_sums(a, w, p->in_n, 3, sums);
            else if (most > 1 && rows == 2)
                fully_connected_s8_rows__thumb2_sums(a, w, p->in_n, 2, sums);
            else
                fully_connected_s8_rows__thumb2_sums(a, w, p->in_n, 1, sums);
            for (int32_t i = 0; i < rows; i++, channel += 4) {
                const int32_t sum = sums[i] + channel[0];
                const int32_t v = tm_mul_high(sum, channel[1]) + (sum >> 31) + channel[2];
                *to++ = (int8_t)tm_clamp(v >> channel[3], p->act_min, p->act_max);
            }
        }
    }
}

#endif
