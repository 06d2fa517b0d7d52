/* Samples times the power of two that the largest allows, and its exponent.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_FFT_AUTO_SCALE_S16_H
#define TM_KERNELS_FFT_AUTO_SCALE_S16_H

#include "tm_kernel.h"

struct fft_auto_scale_s16 {
    int32_t count;
};

TM_KERNEL void fft_auto_scale_s16(const struct fft_auto_scale_s16 *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, struct tm_out bits,
                                  void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int16_t *a = in.base;
    int16_t *to = out.base;
    /* An int16 as in TFLite-Micro: -32768 becomes the smallest maximum, which the next one beats. */
    int16_t most = 0;
    for (int32_t i = 0; i < p->count; i++) {
        if (a[i] > most)
            most = a[i];
        else if (-a[i] > most)
            most = (int16_t)-a[i];
    }
    const int32_t shift = most > 0 ? __builtin_clz((uint32_t)most) - 17 : 0;
    for (int32_t i = 0; i < p->count; i++)
        to[i] = (int16_t)(a[i] * (1 << shift));
    *(int32_t *)bits.base = shift;
}

#endif
