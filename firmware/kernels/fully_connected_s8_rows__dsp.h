/* fully_connected_s8 for cores with the DSP extension, of few outputs or of weights that cannot be
 * packed in pairs (tm_dsp.h): rows of weights as the model has them, up to four at a time. The zero
 * point of the input is part of the biases. Takes whole tensors: y0 and y1 are 0 and 1.
 * Cortex-M4, emulated, 256 inputs: 1,609 instructions by fully_connected_s8__dsp for one to three
 * outputs, 665, 1,009 and 1,354 here; of four outputs of 4,000 inputs, too large for pairs: 67,219 by
 * fully_connected_s8__thumb, 25,097 here. Text: 110 to 740 bytes for each layer. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S8_ROWS__DSP_H
#define TM_KERNELS_FULLY_CONNECTED_S8_ROWS__DSP_H

#include "tm_dsp.h"

struct fully_connected_s8_rows__dsp {
    int32_t batches, in_n, out_n, act_min, act_max;
    const int8_t *weights;   /* [output][in_n] */
    const int32_t *channels; /* [output][4]: bias, multiplier, addend, shift, see tm_dsp.h */
};

/* The sum and four products, the inputs' bytes spread to halves of two words. */
TM_KERNEL int32_t fully_connected_s8_rows__dsp_four(int32_t sum, int32_t even, int32_t odd,
                                                    const int8_t **weights)
{
    const int32_t w = tm_next4(weights);
    return tm_mac_both(tm_mac_both(sum, even, tm_spread_even(w)), odd, tm_spread_odd(w));
}

/* `rows` outputs, 1 to 4, known where this is inlined. */
TM_KERNEL void fully_connected_s8_rows__dsp_sums(const int8_t *a, const int8_t *w0, int32_t in_n,
                                                 int32_t rows, int32_t *sums)
{
    const int8_t *w1 = w0 + (rows > 1 ? in_n : 0), *w2 = w1 + (rows > 2 ? in_n : 0);
    const int8_t *w3 = w2 + (rows > 3 ? in_n : 0);
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (const int8_t *end = a + in_n / 4 * 4; a < end;) {
        const int32_t x = tm_next4(&a), even = tm_spread_even(x), odd = tm_spread_odd(x);
        s0 = fully_connected_s8_rows__dsp_four(s0, even, odd, &w0);
        if (rows > 1)
            s1 = fully_connected_s8_rows__dsp_four(s1, even, odd, &w1);
        if (rows > 2)
            s2 = fully_connected_s8_rows__dsp_four(s2, even, odd, &w2);
        if (rows > 3)
            s3 = fully_connected_s8_rows__dsp_four(s3, even, odd, &w3);
    }
    for (int32_t i = 0; i < in_n % 4; i++) {
        s0 += a[i] * w0[i];
        s1 += rows > 1 ? a[i] * w1[i] : 0;
        s2 += rows > 2 ? a[i] * w2[i] : 0;
        s3 += rows > 3 ? a[i] * w3[i] : 0;
    }
    const int32_t all[4] = {s0, s1, s2, s3};
    for (int32_t i = 0; i < rows; i++)
        sums[i] = all[i];
}

TM_DRIVER void fully_connected_s8_rows__dsp(const struct fully_connected_s8_rows__dsp *p,
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
                fully_connected_s8_rows__dsp_sums(a, w, p->in_n, 4, sums);
            else if (most > 1 && rows == 3)
                fully_connected_s8_rows__dsp_sums(a, w, p->in_n, 3, sums);
            else if (most > 1 && rows == 2)
                fully_connected_s8_rows__dsp_sums(a, w, p->in_n, 2, sums);
            else
                fully_connected_s8_rows__dsp_sums(a, w, p->in_n, 1, sums);
            for (int32_t i = 0; i < rows; i++, channel += 4) {
                const int32_t v = tm_requantize_twice(2 * (sums[i] + channel[0]), channel[1],
                                                      channel[2], channel[3]);
                *to++ = (int8_t)tm_clamp(v, p->act_min, p->act_max);
            }
        }
    }
}

#endif
