/* mul_s8 of runs for cores with the DSP extension, with scales whose shifts are to the right: four
 * values at a time, as halves of words.
 * Cortex-M4, emulated instructions for each output: 27 with mul_s8, 10 with this. Text: about 210
 * bytes for each layer. */
#ifndef TM_KERNELS_MUL_S8__DSP_H
#define TM_KERNELS_MUL_S8__DSP_H

#include "tm_dsp.h"

struct mul_s8__dsp {
    int32_t repeat, run;    /* runs of values in a row, and how many values each has */
    int32_t a_step, b_step; /* from one run to the next: `run`, or 0 where all have the same */
    int32_t a_zero, b_zero;
    int32_t multiplier, addend, shift; /* see tm_dsp.h */
    int32_t act_min, act_max;
};

/* Of twice a product. */
TM_PIECE int8_t mul_s8__dsp_one(const struct mul_s8__dsp *p, int32_t twice)
{
    const int32_t v = tm_requantize_twice(twice, p->multiplier, p->addend, p->shift);
    return (int8_t)(p->act_min > -128 || p->act_max < 127 ? tm_clamp(v, p->act_min, p->act_max)
                                                          : v);
}

TM_KERNEL void mul_s8__dsp_run(const struct mul_s8__dsp *p, const int8_t *a, const int8_t *b,
                               int8_t *to)
{
    const int32_t minus_a = (-p->a_zero & 0xFFFF) * 0x10001;
    const int32_t minus_b = (-p->b_zero & 0xFFFF) * 0x10001;
    int32_t i = 0;
    for (; i + 4 <= p->run; i += 4) {
        const int32_t as = tm_load4(a + i), bs = tm_load4(b + i);
        const int32_t even = tm_twice_halves(tm_even_bytes(minus_a, as));
        const int32_t odd = tm_twice_halves(tm_odd_bytes(minus_a, as));
        const int32_t even_b = tm_even_bytes(minus_b, bs), odd_b = tm_odd_bytes(minus_b, bs);
        to[i] = mul_s8__dsp_one(p, tm_mac_low(0, even, even_b));
        to[i + 1] = mul_s8__dsp_one(p, tm_mac_low(0, odd, odd_b));
        to[i + 2] = mul_s8__dsp_one(p, tm_mac_high(0, even, even_b));
        to[i + 3] = mul_s8__dsp_one(p, tm_mac_high(0, odd, odd_b));
    }
    for (; i < p->run; i++)
        to[i] = mul_s8__dsp_one(p, (a[i] - p->a_zero) * (b[i] - p->b_zero) * 2);
}

TM_KERNEL void mul_s8__dsp(const struct mul_s8__dsp *p, int32_t y0, int32_t y1, struct tm_in in_a,
                           struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t r = 0; r < p->repeat; r++, a += p->a_step, b += p->b_step, to += p->run)
            mul_s8__dsp_run(p, a, b, to);
    }
}

#endif
