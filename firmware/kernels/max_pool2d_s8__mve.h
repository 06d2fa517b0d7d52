/* max_pool2d_s8 for MVE, 16 channels at a time.
 * Cortex-M55, emulated, 2x2 over 32x32 pixels of 16 channels: 14,508 instructions by
 * max_pool2d_s8__dsp, 5,454 here. Text: about 90 bytes for each layer. */
#ifndef TM_KERNELS_MAX_POOL2D_S8__MVE_H
#define TM_KERNELS_MAX_POOL2D_S8__MVE_H

#include "tm_mve.h"

struct max_pool2d_s8__mve {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int32_t act_min, act_max;
    int32_t inside; /* 1 where no window reaches out of the image */
};

TM_DRIVER void max_pool2d_s8__mve(const struct max_pool2d_s8__mve *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t iy = y * p->stride_h - p->pad_h;
        const int32_t ky0 = p->inside ? 0 : tm_first_tap(iy, 1);
        const int32_t ky1 = p->inside ? p->ker_h : tm_last_tap(iy, 1, p->ker_h, p->in_h);
        int8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->out_w; x++, to += p->out_c) {
            const int32_t ix = x * p->stride_w - p->pad_w;
            const int32_t kx0 = p->inside ? 0 : tm_first_tap(ix, 1);
            const int32_t kx1 = p->inside ? p->ker_w : tm_last_tap(ix, 1, p->ker_w, p->in_w);
            for (int32_t c = 0; c < p->out_c; c += 16) {
                const mve_pred16_t some = vctp8q((uint32_t)(p->out_c - c));
                int8x16_t best = vdupq_n_s8((int8_t)p->act_min);
                for (int32_t ky = ky0; ky < ky1; ky++) {
                    const int8_t *at = tm_in_row(in, iy + ky);
                    at += (ix + kx0) * p->in_c + c;
                    for (int32_t kx = kx0; kx < kx1; kx++, at += p->in_c)
                        best = vmaxq_s8(best, p->out_c % 16 ? vldrbq_z_s8(at, some)
                                                            : vldrbq_s8(at));
                }
                if (p->act_max < 127)
                    best = vminq_s8(best, vdupq_n_s8((int8_t)p->act_max));
                if (p->out_c % 16)
                    vstrbq_p_s8(to + c, best, some);
                else
                    vstrbq_s8(to + c, best);
            }
        }
    }
}

#endif
