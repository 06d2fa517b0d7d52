/* mean_s8 over neighbouring dimensions in front of others, as height and width are in front of the
 * channels, for MVE: sums of eight channels as 16 bits, of up to 256 taps at a time.
 * Takes whole tensors: y0 and y1 are 0 and 1.
 * Cortex-M55, emulated, 7x7 pixels of 64 channels: 7,629 instructions by mean_s8, 3,850 by
 * mean_s8__dsp, 1,485 here. Text: 210 to 300 bytes for each layer. */
#ifndef TM_KERNELS_MEAN_S8__MVE_H
#define TM_KERNELS_MEAN_S8__MVE_H

#include "tm_mve.h"

struct mean_s8__mve {
    int32_t outer, taps, channels; /* input [outer][taps][channels] */
    int32_t minus;                 /* taps times the input's zero point */
    int32_t out_zero, multiplier;
    int32_t left, right; /* shifts before and behind, that to the right as a negative number */
};

TM_KERNEL int32x4_t mean_s8__mve_rescale(const struct mean_s8__mve *p, int32x4_t x)
{
    x = vsubq_n_s32(x, p->minus);
    x = vqrdmulhq_n_s32(vshlq_r_s32(x, p->left), p->multiplier);
    if (p->right < 0) /* halves go away from zero */
        x = vrshlq_n_s32(vaddq_s32(x, vshrq_n_s32(x, 31)), p->right);
    return vaddq_n_s32(x, p->out_zero);
}

TM_PIECE void mean_s8__mve_eight(const struct mean_s8__mve *p, const int8_t *at, int8_t *to,
                                 mve_pred16_t some)
{
    int32x4_t even = vdupq_n_s32(0), odd = vdupq_n_s32(0);
    for (int32_t first = 0; first < p->taps; first += 256) {
        const int16x8_t sum = tm_mve_sum_eights(
            vdupq_n_s16(0), at + first * p->channels, p->channels, tm_min(p->taps - first, 256),
            p->channels % 8 == 0, some);
        even = vaddq_s32(even, vmovlbq_s16(sum));
        odd = vaddq_s32(odd, vmovltq_s16(sum));
    }
    int16x8_t v = vqmovnbq_s32(vdupq_n_s16(0), mean_s8__mve_rescale(p, even));
    v = vqmovntq_s32(v, mean_s8__mve_rescale(p, odd));
    v = vminq_s16(vmaxq_s16(v, vdupq_n_s16(-128)), vdupq_n_s16(127));
    vstrbq_p_s16(to, v, some);
}

TM_DRIVER void mean_s8__mve(const struct mean_s8__mve *p, int32_t y0, int32_t y1, struct tm_in in,
                            struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int8_t *a = in.base;
    int8_t *to = out.base;
    for (int32_t i = 0; i < p->outer; i++, a += p->taps * p->channels, to += p->channels)
        for (int32_t c = 0; c < p->channels; c += 8)
            mean_s8__mve_eight(p, a + c, to + c, vctp16q((uint32_t)(p->channels - c)));
}

#endif
