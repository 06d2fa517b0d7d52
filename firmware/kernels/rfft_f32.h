/* The spectrum of each real signal, padded with zeros to 2 * count values: count + 1 complex values.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_RFFT_F32_H
#define TM_KERNELS_RFFT_F32_H

#include "tm_fft_f32.h"

struct rfft_f32 {
    int32_t rows, size, count, stages, radices;
    const uint8_t *factors; /* of count, first to last; bit p of radices: p is one */
    const float *twiddles; /* e^(-2 pi i k / count), complex, for all k */
    const float *halves;   /* the same of twice the length, times -i, from k = 1 to count / 2 */
};

TM_KERNEL void rfft_f32(const struct rfft_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                        struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const struct tm_fft_f32_plan plan = {p->count, p->stages, p->radices,
                                        0, p->factors, p->twiddles};
    const float *a = in.base;
    float *to = out.base;
    for (int32_t r = 0; r < p->rows; r++, a += p->size, to += 2 * p->count + 2)
        tm_fft_f32_forward(&plan, p->halves, a, p->size, to);
}

#endif
