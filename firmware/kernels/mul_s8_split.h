/* mul_s8 of runs for cores where multiplications to 64 bits are slow, with scales whose shifts are
 * to the right.
 * Cortex-M0, emulated instructions for each output: 33 to 75 with mul_s8, 29 to 45 with this. Text: about 200
 * bytes for each layer. */
#ifndef TM_KERNELS_MUL_S8_SPLIT_H
#define TM_KERNELS_MUL_S8_SPLIT_H

#include "tm_split.h"

struct mul_s8_split {
    int32_t repeat, run;    /* runs of values in a row, and how many values each has */
    int32_t a_step, b_step; /* from one run to the next: `run`, or 0 where all have the same */
    int32_t a_zero, b_zero;
    int32_t multiplier, addend, shift; /* see tm_split.h */
    int32_t act_min, act_max;
};

TM_KERNEL void mul_s8_split(const struct mul_s8_split *p, int32_t y0, int32_t y1, struct tm_in in_a,
                            struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t r = 0; r < p->repeat; r++, a += p->a_step, b += p->b_step, to += p->run)
            for (int32_t i = 0; i < p->run; i++) {
                const int32_t product = (a[i] - p->a_zero) * (b[i] - p->b_zero);
                const int32_t v = tm_requantize_split(product, p->multiplier, p->addend, p->shift);
                to[i] = (int8_t)tm_clamp(v, p->act_min, p->act_max);
            }
    }
}

#endif
