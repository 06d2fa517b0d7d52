/* Bilinear resizing, HWC int8. Output row y lies between input rows y_low[y] and y_high[y],
 * y_far[y] / 1024 of the way; columns likewise. Halves are rounded away from zero. */
#ifndef TM_KERNELS_RESIZE_BILINEAR_S8_H
#define TM_KERNELS_RESIZE_BILINEAR_S8_H

#include "tm_kernel.h"

struct resize_bilinear_s8 {
    int32_t out_w, channels;
    const int32_t *y_low, *y_high, *y_far, *x_low, *x_high, *x_far;
};

TM_KERNEL void resize_bilinear_s8(const struct resize_bilinear_s8 *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *low = tm_in_row(in, p->y_low[y]), *high = tm_in_row(in, p->y_high[y]);
        int8_t *to = tm_out_row(out, y);
        const int32_t down = p->y_far[y];
        for (int32_t x = 0; x < p->out_w; x++) {
            const int32_t left = p->x_low[x] * p->channels, right = p->x_high[x] * p->channels;
            const int32_t across = p->x_far[x];
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t above = low[left + c] * (1024 - across) + low[right + c] * across;
                const int32_t below = high[left + c] * (1024 - across) + high[right + c] * across;
                const int32_t sum = above * (1024 - down) + below * down;
                *to++ = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
            }
        }
    }
}

#endif
