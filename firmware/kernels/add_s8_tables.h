/* add_s8 and sub_s8 of runs, both operands brought to one scale by tables: for cores where
 * multiplications to 64 bits are slow.
 * Cortex-M0, emulated instructions for each output: 148 with add_s8, 53 with this. Text: about 150
 * bytes for each layer, and 2 KiB of tables.
 * a_raised, b_raised: tm_rescale of each value from -128 to 127, less its zero point, * 2^20;
 * of a difference, those of b have the other sign. */
#ifndef TM_KERNELS_ADD_S8_TABLES_H
#define TM_KERNELS_ADD_S8_TABLES_H

#include "tm_split.h"

struct add_s8_tables {
    int32_t repeat, run;    /* runs of values in a row, and how many values each has */
    int32_t a_step, b_step; /* from one run to the next: `run`, or 0 where all have the same */
    int32_t multiplier, addend, shift, act_min, act_max; /* see tm_split.h */
    const int32_t *a_raised, *b_raised;                  /* 256 each */
};

TM_DRIVER void add_s8_tables(const struct add_s8_tables *p, int32_t y0, int32_t y1,
                             struct tm_in in_a, struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t r = 0; r < p->repeat; r++, a += p->a_step, b += p->b_step, to += p->run)
            for (int32_t i = 0; i < p->run; i++) {
                const int32_t sum = p->a_raised[a[i] + 128] + p->b_raised[b[i] + 128];
                const int32_t v = tm_requantize_split(sum, p->multiplier, p->addend, p->shift);
                to[i] = (int8_t)tm_clamp(v, p->act_min, p->act_max);
            }
    }
}

#endif
