/* max_pool2d_s8 for MVE, 16 channels at a time.
 * Cortex-M55, emulated, 2x2 over 16x16 pixels of 32 channels: 31,438 instructions by
 * max_pool2d_s8, 11,688 here; 392 bytes of text. */
#ifndef TM_KERNELS_MAX_POOL2D_S8__MVE_H
#define TM_KERNELS_MAX_POOL2D_S8__MVE_H

#include "tm_mve.h"

struct max_pool2d_s8__mve {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int32_t act_min, act_max;
};

/* The larger of `best` and the first `channels` (16 if more) of `taps` pixels. */
TM_KERNEL int8x16_t max_pool2d_s8__mve_taps(int8x16_t best, const int8_t *a, int32_t channels,
                                            int32_t step, int32_t taps)
{
    int8x16_t t;
    __asm__ volatile("vctp.8 %[channels]\n"
                     "dls lr, %[taps]\n"
                     "1: vpst\n"
                     "vldrbt.8 %q[t], [%[a]]\n"
                     "vmax.s8 %q[best], %q[best], %q[t]\n"
                     "add %[a], %[step]\n"
                     "le lr, 1b\n"
                     : [best] "+w"(best), [a] "+r"(a), [t] "=&w"(t)
                     : [channels] "r"(channels), [step] "r"(step), [taps] "r"(taps)
                     : "lr", "memory");
    return best;
}

TM_MVE_SHARED void max_pool2d_s8__mve_rows(const struct max_pool2d_s8__mve *p, int32_t y0,
                                           int32_t y1, const struct tm_in *in,
                                           const struct tm_out *out)
{
    for (int32_t y = y0; y < y1; y++) {
        const int32_t iy = y * p->stride_h - p->pad_h;
        const int32_t ky0 = tm_first_tap(iy, 1);
        const int32_t ky1 = tm_last_tap(iy, 1, p->ker_h, p->in_h);
        int8_t *to = tm_out_row(*out, y);
        for (int32_t x = 0; x < p->out_w; x++, to += p->out_c) {
            const int32_t ix = x * p->stride_w - p->pad_w;
            const int32_t kx0 = tm_first_tap(ix, 1);
            const int32_t taps = tm_last_tap(ix, 1, p->ker_w, p->in_w) - kx0;
            for (int32_t c = 0; c < p->out_c; c += 16) {
                int8x16_t best = vdupq_n_s8((int8_t)p->act_min);
                for (int32_t ky = ky0; ky < ky1; ky++) {
                    const int8_t *row = tm_in_row(*in, iy + ky);
                    best = max_pool2d_s8__mve_taps(best, row + (ix + kx0) * p->in_c + c,
                                                   p->out_c - c, p->in_c, taps);
                }
                best = vminq_s8(best, vdupq_n_s8((int8_t)p->act_max));
                vstrbq_p_s8(to + c, best, vctp8q((uint32_t)(p->out_c - c)));
            }
        }
    }
}

TM_KERNEL void max_pool2d_s8__mve(const struct max_pool2d_s8__mve *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    max_pool2d_s8__mve_rows(p, y0, y1, &in, &out);
}

#endif
