/* add_s16 and sub_s16 of runs for cores with the DSP extension, with zero points of 0, and scales
 * whose shifts are to the right. A value in the high half of a word is twice the raised one, of
 * which SMMULR rounds as the doubling high multiplication does.
 * Cortex-M4, emulated instructions for each output, 16 channels: 39 with add_s16 and sub_s16, 16
 * with this. Text: about 180 bytes for each layer. */
#ifndef TM_KERNELS_ADD_S16__DSP_H
#define TM_KERNELS_ADD_S16__DSP_H

#include "tm_dsp16.h"

struct add_s16__dsp {
    int32_t repeat, run;    /* runs of values in a row, and how many values each has */
    int32_t a_step, b_step; /* from one run to the next: `run`, or 0 where all have the same */
    int32_t a_multiplier, a_shift, b_multiplier, b_shift; /* shifts to the right, 0 to 20 */
    int32_t b_sign;                                       /* -1: a difference */
    int32_t out_multiplier, out_add, out_shift;           /* see tm_dsp.h: rounding */
    int32_t act_min, act_max;
};

/* Twice tm_rescale(v * 2^15, m, -n) of v * 2^16; see add_s8__dsp.h for how it is rounded. */
TM_KERNEL int32_t add_s16__dsp_raise(int32_t v, int32_t m, int32_t n)
{
    if (m == 1 << 30 && n == 0)
        return v >> 1;
    return (tm_mul_high_add(v, m, n ? (1 << n >> 1) + (v >> 31) : 0) >> n) * 2;
}

/* Of two values times 2^16. Twice their sum has 32 bits: the multipliers are 1/2 at most. */
TM_PIECE int16_t add_s16__dsp_one(const struct add_s16__dsp *p, int32_t a, int32_t b)
{
    const int32_t raised = add_s16__dsp_raise(b, p->b_multiplier, p->b_shift);
    const int32_t sum = add_s16__dsp_raise(a, p->a_multiplier, p->a_shift) +
                        (p->b_sign < 0 ? -raised : raised);
    const int32_t v =
        tm_mul_high_add(sum, p->out_multiplier, p->out_add + (sum >> 31)) >> p->out_shift;
    const int rectified = p->act_min == 0;
    const int32_t bounded = tm_saturate16(v, rectified);
    return (int16_t)((!rectified && p->act_min > -32768) || p->act_max < 32767
                         ? tm_clamp(bounded, p->act_min, p->act_max)
                         : bounded);
}

TM_KERNEL void add_s16__dsp_run(const struct add_s16__dsp *p, const int16_t *a, const int16_t *b,
                                int16_t *to)
{
    int32_t i = 0;
    for (; i + 2 <= p->run; i += 2) {
        const int32_t as = tm_load4(a + i), bs = tm_load4(b + i);
        const int32_t low =
            add_s16__dsp_one(p, tm_shift_left(as, 16), tm_shift_left(bs, 16));
        const int32_t high = add_s16__dsp_one(p, as & ~0xFFFF, bs & ~0xFFFF);
        tm_store4(to + i, tm_low_halves(low, high));
    }
    if (i < p->run)
        to[i] = add_s16__dsp_one(p, a[i] * (1 << 16), b[i] * (1 << 16));
}

TM_KERNEL void add_s16__dsp(const struct add_s16__dsp *p, int32_t y0, int32_t y1, struct tm_in in_a,
                            struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t r = 0; r < p->repeat; r++, a += p->a_step, b += p->b_step, to += p->run)
            add_s16__dsp_run(p, a, b, to);
    }
}

#endif
