/* add_s8 and sub_s8 of runs for Cortex-M3, with scales whose shifts are to the right.
 * Cortex-M3, emulated instructions for each output: 41 with add_s8, 20 with this. Text: about 200
 * bytes for each layer. */
#ifndef TM_KERNELS_ADD_S8__THUMB2_H
#define TM_KERNELS_ADD_S8__THUMB2_H

#include "tm_thumb2.h"

struct add_s8__thumb2 {
    int32_t repeat, run;    /* runs of values in a row, and how many values each has */
    int32_t a_step, b_step; /* from one run to the next: `run`, or 0 where all have the same */
    int32_t a_zero, b_zero;
    int32_t a_multiplier, a_shift, b_multiplier, b_shift; /* shifts to the right, 0 to 20 */
    int32_t b_sign;                                       /* -1: a difference */
    int32_t out_multiplier, out_add, out_shift; /* rounding and zero point: 2^(n-1) + (z << n) */
    int32_t act_min, act_max;
};

/* tm_rescale(v * 2^20, m, -n); half the step is exact as a shift. */
TM_KERNEL int32_t add_s8__thumb2_raise(int32_t v, int32_t m, int32_t n)
{
    if (m == 1 << 30 && n == 0)
        return v * (1 << 19);
    return tm_mul_high_wide(v * (1 << 20), m, n ? (1 << (n - 1)) + (v >> 31) : 0) >> n;
}

TM_KERNEL int32_t add_s8__thumb2_one(const struct add_s8__thumb2 *p, int32_t a, int32_t b)
{
    const int32_t raised = add_s8__thumb2_raise(b - p->b_zero, p->b_multiplier, p->b_shift);
    const int32_t sum = add_s8__thumb2_raise(a - p->a_zero, p->a_multiplier, p->a_shift) +
                        (p->b_sign < 0 ? -raised : raised);
    const int32_t v = tm_requantize_wide(sum, p->out_multiplier, p->out_add, p->out_shift);
    return p->act_min > -128 || p->act_max < 127 ? tm_clamp(v, p->act_min, p->act_max) : v;
}

TM_KERNEL void add_s8__thumb2(const struct add_s8__thumb2 *p, int32_t y0, int32_t y1,
                              struct tm_in in_a, struct tm_in in_b, struct tm_out out,
                              void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t r = 0; r < p->repeat; r++, a += p->a_step, b += p->b_step, to += p->run)
            for (int32_t i = 0; i < p->run; i++)
                to[i] = (int8_t)add_s8__thumb2_one(p, a[i], b[i]);
    }
}

#endif
