/* add_s8 and sub_s8 of runs for cores with the DSP extension, with scales whose shifts are to the
 * right. SMMULR of twice the raised value rounds as the doubling high multiplication does.
 * Cortex-M4, emulated instructions for each output, 16 channels: 40 to 44 with add_s8 and sub_s8, 17
 * to 19 with this. Text: 312 bytes for each layer. */
#ifndef TM_KERNELS_ADD_S8__DSP_H
#define TM_KERNELS_ADD_S8__DSP_H

#include "tm_dsp.h"

struct add_s8__dsp {
    int32_t repeat, run;    /* runs of values in a row, and how many values each has */
    int32_t a_step, b_step; /* from one run to the next: `run`, or 0 where all have the same */
    int32_t a_zero, b_zero;
    int32_t a_multiplier, a_shift, b_multiplier, b_shift; /* shifts to the right, 0 to 20 */
    int32_t b_sign;                                       /* -1: a difference */
    int32_t out_multiplier, out_add, out_shift; /* see tm_dsp.h: rounding and zero point */
    int32_t act_min, act_max;
};

/* Twice tm_rescale(v * 2^20, m, -n). A value below zero takes one off before the shift, which sends
 * halves away from zero, and makes no difference where the product is rounded to 0. */
TM_KERNEL int32_t add_s8__dsp_raise(int32_t v, int32_t m, int32_t n)
{
    if (m == 1 << 30 && n == 0)
        return v * (1 << 20);
    return (tm_mul_high_add(v * (1 << 21), m, n ? (1 << n >> 1) + (v >> 31) : 0) >> n) * 2;
}

TM_PIECE int32_t add_s8__dsp_one(const struct add_s8__dsp *p, int32_t a, int32_t b)
{
    const int32_t raised = add_s8__dsp_raise(b - p->b_zero, p->b_multiplier, p->b_shift);
    const int32_t sum = add_s8__dsp_raise(a - p->a_zero, p->a_multiplier, p->a_shift) +
                        (p->b_sign < 0 ? -raised : raised);
    const int32_t v = tm_requantize_twice(sum, p->out_multiplier, p->out_add, p->out_shift);
    return p->act_min > -128 || p->act_max < 127 ? tm_clamp(v, p->act_min, p->act_max) : v;
}

TM_KERNEL void add_s8__dsp_run(const struct add_s8__dsp *p, const int8_t *a, const int8_t *b,
                               int8_t *to)
{
    int32_t i = 0;
    for (; i + 4 <= p->run; i += 4) {
        const int32_t as = tm_load4(a + i), bs = tm_load4(b + i);
        to[i] = (int8_t)add_s8__dsp_one(p, (int8_t)as, (int8_t)bs);
        to[i + 1] = (int8_t)add_s8__dsp_one(p, (int8_t)(as >> 8), (int8_t)(bs >> 8));
        to[i + 2] = (int8_t)add_s8__dsp_one(p, (int8_t)(as >> 16), (int8_t)(bs >> 16));
        to[i + 3] = (int8_t)add_s8__dsp_one(p, as >> 24, bs >> 24);
    }
    for (; i < p->run; i++)
        to[i] = (int8_t)add_s8__dsp_one(p, a[i], b[i]);
}

TM_KERNEL void add_s8__dsp(const struct add_s8__dsp *p, int32_t y0, int32_t y1, struct tm_in in_a,
                           struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t r = 0; r < p->repeat; r++, a += p->a_step, b += p->b_step, to += p->run)
            add_s8__dsp_run(p, a, b, to);
    }
}

#endif
