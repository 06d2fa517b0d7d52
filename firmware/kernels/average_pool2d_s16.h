/* Average over a window, HWC int16. The divisor counts the taps inside the image only;
 * halves are rounded away from zero. */
#ifndef TM_KERNELS_AVERAGE_POOL2D_S16_H
#define TM_KERNELS_AVERAGE_POOL2D_S16_H

#include "tm_kernel.h"

struct average_pool2d_s16 {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int32_t act_min, act_max;
};

TM_KERNEL void average_pool2d_s16(const struct average_pool2d_s16 *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t iy = y * p->stride_h - p->pad_h;
        const int32_t ky0 = tm_first_tap(iy, 1);
        const int32_t ky1 = tm_last_tap(iy, 1, p->ker_h, p->in_h);
        int16_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->out_w; x++) {
            const int32_t ix = x * p->stride_w - p->pad_w;
            const int32_t kx0 = tm_first_tap(ix, 1);
            const int32_t kx1 = tm_last_tap(ix, 1, p->ker_w, p->in_w);
            const int32_t count = (ky1 - ky0) * (kx1 - kx0);
            for (int32_t c = 0; c < p->out_c; c++) {
                int32_t sum = 0;
                for (int32_t ky = ky0; ky < ky1; ky++) {
                    const int16_t *row = tm_in_row(in, iy + ky);
                    for (int32_t kx = kx0; kx < kx1; kx++)
                        sum += row[(ix + kx) * p->in_c + c];
                }
                sum = tm_average(sum, count);
                *to++ = (int16_t)tm_clamp(sum, p->act_min, p->act_max);
            }
        }
    }
}

#endif
