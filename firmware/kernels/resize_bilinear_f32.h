/* Bilinear resizing, HWC float32. Output row y lies between input rows y_low[y] and y_high[y],
 * y_far[y] of the way; columns likewise. The order of products is TFLite's. */
#ifndef TM_KERNELS_RESIZE_BILINEAR_F32_H
#define TM_KERNELS_RESIZE_BILINEAR_F32_H

#include "tm_kernel.h"

struct resize_bilinear_f32 {
    int32_t out_w, channels;
    const int32_t *y_low, *y_high, *x_low, *x_high;
    const float *y_far, *x_far;
};

TM_KERNEL void resize_bilinear_f32(const struct resize_bilinear_f32 *p, int32_t y0, int32_t y1,
                                   struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const float *low = tm_in_row(in, p->y_low[y]), *high = tm_in_row(in, p->y_high[y]);
        float *to = tm_out_row(out, y);
        const float down = p->y_far[y];
        for (int32_t x = 0; x < p->out_w; x++) {
            const int32_t left = p->x_low[x] * p->channels, right = p->x_high[x] * p->channels;
            const float across = p->x_far[x];
            for (int32_t c = 0; c < p->channels; c++)
                *to++ = low[left + c] * (1 - down) * (1 - across) +
                        high[left + c] * down * (1 - across) +
                        low[right + c] * (1 - down) * across + high[right + c] * down * across;
        }
    }
}

#endif
