/* Each pixel divided by its Euclidean length over the channels, HWC float32. */
#ifndef TM_KERNELS_L2_NORMALIZATION_F32_H
#define TM_KERNELS_L2_NORMALIZATION_F32_H

#include <math.h>

#include "tm_kernel.h"

struct l2_normalization_f32 {
    int32_t width, channels;
};

TM_KERNEL void l2_normalization_f32(const struct l2_normalization_f32 *p, int32_t y0, int32_t y1,
                                    struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *a = tm_in_row(in, y);
        float *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++, a += p->channels, to += p->channels) {
            float sum = 0.0f;
            for (int32_t c = 0; c < p->channels; c++)
                sum += a[c] * a[c];
            const float root = sqrtf(sum);
            const float length = root < 1e-6f ? 1e-6f : root;
            for (int32_t c = 0; c < p->channels; c++)
                to[c] = a[c] / length;
        }
    }
}

#endif
