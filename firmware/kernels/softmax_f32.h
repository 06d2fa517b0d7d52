/* Softmax over the channels of each pixel, HWC float32. */
#ifndef TM_KERNELS_SOFTMAX_F32_H
#define TM_KERNELS_SOFTMAX_F32_H

#include <math.h>

#include "tm_kernel.h"

struct softmax_f32 {
    int32_t width, channels;
    float beta;
};

TM_KERNEL void softmax_f32(const struct softmax_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                           struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in, y);
        float *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++, a += p->channels, to += p->channels) {
            float top = a[0], sum = 0.0f;
            for (int32_t c = 1; c < p->channels; c++)
                top = a[c] > top ? a[c] : top;
            for (int32_t c = 0; c < p->channels; c++) {
                to[c] = expf((a[c] - top) * p->beta);
                sum += to[c];
            }
            for (int32_t c = 0; c < p->channels; c++)
                to[c] /= sum;
        }
    }
}

#endif
