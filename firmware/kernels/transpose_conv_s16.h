/* Transposed convolution. Input HWC, weights OHWI, output HWC; int16, weights int8. Each
 * output pixel adds up the input pixels whose kernel, laid out from stride times their place,
 * reaches it. */
#ifndef TM_KERNELS_TRANSPOSE_CONV_S16_H
#define TM_KERNELS_TRANSPOSE_CONV_S16_H

#include "tm_kernel.h"

struct transpose_conv_s16 {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int32_t act_min, act_max;
    int32_t wide; /* whether the sums have 64 bits, and the multipliers 15 */
    const int8_t *weights;
    const int64_t *bias;
    const int32_t *multiplier, *shift; /* one per output channel */
};

/* What the input row under kernel row ky gives to output column x and channel o. */
TM_KERNEL int64_t transpose_conv_s16_row(const struct transpose_conv_s16 *p, const int16_t *row,
                                         int32_t x, int32_t o, int32_t ky)
{
    const int32_t right = x + p->pad_w;
    int64_t sum = 0;
    for (int32_t kx = right % p->stride_w; kx < p->ker_w && kx <= right; kx += p->stride_w) {
        const int32_t ix = (right - kx) / p->stride_w;
        if (ix >= p->in_w)
            continue;
        const int16_t *a = row + ix * p->in_c;
        const int8_t *w = p->weights + ((o * p->ker_h + ky) * p->ker_w + kx) * p->in_c;
        for (int32_t i = 0; i < p->in_c; i++)
            sum += a[i] * w[i];
    }
    return sum;
}

TM_KERNEL void transpose_conv_s16(const struct transpose_conv_s16 *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t down = y + p->pad_h;
        int16_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->out_w; x++)
            for (int32_t o = 0; o < p->out_c; o++) {
                int64_t sum = p->bias[o];
                for (int32_t ky = down % p->stride_h; ky < p->ker_h && ky <= down;
                     ky += p->stride_h) {
                    const int32_t iy = (down - ky) / p->stride_h;
                    if (iy < p->in_h)
                        sum += transpose_conv_s16_row(p, tm_in_row(in, iy), x, o, ky);
                }
                const int32_t v = tm_rescale_sum(sum, p->wide, p->multiplier[o], p->shift[o]);
                *to++ = (int16_t)tm_clamp(v, p->act_min, p->act_max);
            }
    }
}

#endif
