/* Each pixel divided by its Euclidean length over the channels, HWC int8; output scale 1/128. */
#ifndef TM_KERNELS_L2_NORMALIZATION_S8_H
#define TM_KERNELS_L2_NORMALIZATION_S8_H

#include "tm_kernel.h"
#include "tm_root.h"

struct l2_normalization_s8 {
    int32_t width, channels, in_zero;
};

TM_KERNEL void l2_normalization_s8(const struct l2_normalization_s8 *p, int32_t y0, int32_t y1,
                                   struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++, a += p->channels, to += p->channels) {
            int32_t sum = 0, shift;
            for (int32_t c = 0; c < p->channels; c++)
                sum += (a[c] - p->in_zero) * (a[c] - p->in_zero);
            const int32_t multiplier = tm_inverse_root(sum, &shift);
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t v = tm_rescale(a[c] - p->in_zero, multiplier, shift + 7);
                to[c] = (int8_t)tm_clamp(v, -128, 127);
            }
        }
    }
}

#endif
