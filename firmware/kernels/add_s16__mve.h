/* add_s16 and sub_s16 of runs for MVE, with zero points of 0, and scales whose shifts are to the
 * right: add_s16__dsp by four values at a time.
 * Cortex-M55, emulated instructions for each output, 16 channels: 16 with add_s16__dsp, 5 with this.
 * Text: about 180 bytes for each layer. */
#ifndef TM_KERNELS_ADD_S16__MVE_H
#define TM_KERNELS_ADD_S16__MVE_H

#include "tm_mve.h"

struct add_s16__mve {
    int32_t repeat, run;    /* runs of values in a row, and how many values each has */
    int32_t a_step, b_step; /* from one run to the next: `run`, or 0 where all have the same */
    int32_t a_multiplier, a_shift, b_multiplier, b_shift; /* shifts to the right, 0 to 20 */
    int32_t b_sign;                                       /* -1: a difference */
    int32_t out_multiplier, out_add, out_shift;           /* see tm_dsp.h: rounding */
    int32_t act_min, act_max;
};

/* Twice tm_rescale(v * 2^15, m, -n) of values v. */
TM_KERNEL int32x4_t add_s16__mve_raise(int32x4_t v, int32_t m, int32_t n)
{
    if (m == 1 << 30 && n == 0)
        return vshlq_n_s32(v, 15);
    v = vshlq_n_s32(v, 16);
    int32x4_t r = vrmulhq_s32(v, vdupq_n_s32(m));
    if (n)
        r = vshlq_r_s32(vaddq_n_s32(vaddq_s32(r, vshrq_n_s32(v, 31)), 1 << n >> 1), -n);
    return vshlq_n_s32(r, 1);
}

TM_KERNEL int32x4_t add_s16__mve_four(const struct add_s16__mve *p, int32x4_t a, int32x4_t b)
{
    a = add_s16__mve_raise(a, p->a_multiplier, p->a_shift);
    b = add_s16__mve_raise(b, p->b_multiplier, p->b_shift);
    const int32x4_t sum = p->b_sign < 0 ? vsubq_s32(a, b) : vaddq_s32(a, b);
    int32x4_t v = vrmulhq_s32(sum, vdupq_n_s32(p->out_multiplier));
    v = vaddq_n_s32(vaddq_s32(v, vshrq_n_s32(sum, 31)), p->out_add);
    v = vshlq_r_s32(v, -p->out_shift);
    return vminq_s32(vmaxq_s32(v, vdupq_n_s32(p->act_min)), vdupq_n_s32(p->act_max));
}

TM_KERNEL void add_s16__mve(const struct add_s16__mve *p, int32_t y0, int32_t y1, struct tm_in in_a,
                            struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t r = 0; r < p->repeat; r++, a += p->a_step, b += p->b_step, to += p->run) {
            int32_t i = 0;
            for (; i + 4 <= p->run; i += 4)
                vstrhq_s32(to + i, add_s16__mve_four(p, vldrhq_s32(a + i), vldrhq_s32(b + i)));
            const mve_pred16_t left = vctp32q((uint32_t)(p->run - i));
            if (i < p->run)
                vstrhq_p_s32(to + i,
                             add_s16__mve_four(p, vldrhq_z_s32(a + i, left),
                                               vldrhq_z_s32(b + i, left)),
                             left);
        }
    }
}

#endif
