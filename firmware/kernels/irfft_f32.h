/* The real signal of each spectrum: `count` + 1 complex values give 2 * count real ones.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_IRFFT_F32_H
#define TM_KERNELS_IRFFT_F32_H

#include "tm_fft_f32.h"

struct irfft_f32 {
    int32_t rows, count, stages, radices;
    const uint8_t *factors; /* of count, first to last; bit p of radices: p is one */
    const float *twiddles; /* e^(2 pi i k / count), complex, for all k */
    const float *halves;   /* the same of twice the length, times i, from k = 1 to count / 2 */
};

TM_KERNEL void irfft_f32(const struct irfft_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                         struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const struct tm_fft_f32_plan plan = {p->count, p->stages, p->radices,
                                        1, p->factors, p->twiddles};
    const float *a = in.base;
    float *to = out.base;
    for (int32_t r = 0; r < p->rows; r++, a += 2 * p->count + 2, to += 2 * p->count) {
        tm_fft_f32_backward(&plan, p->halves, a, to);
        for (int32_t i = 0; i < 2 * p->count; i++)
            to[i] /= (float)(2 * p->count);
    }
}

#endif
