/* add_s8 and sub_s8 of runs for MVE, four values at a time. The operand of the larger scale is `a`:
 * it is halved only, a * 2^20 * 2^30 / 2^31; shifts go to the right.
 * Cortex-M55, emulated, 16,384 values: 767,406 instructions by add_s8, 299,250 by add_s8__dsp,
 * 74,719 here; 170 bytes of text, and as many again where there are differences too. */
#ifndef TM_KERNELS_ADD_S8__MVE_H
#define TM_KERNELS_ADD_S8__MVE_H

#include "tm_mve.h"

struct add_s8__mve {
    int32_t repeat, run;    /* runs of values in a row, and how many values each has */
    int32_t a_step, b_step; /* from one run to the next: `run`, or 0 where all have the same */
    int32_t a_half;         /* 2^19, or -2^19 where it is taken from b */
    int32_t a_minus, b_minus; /* -a_zero * a_half, -b_zero * 2^20 */
    int32_t b_multiplier, b_shift, out_multiplier, out_shift; /* shifts as negative numbers */
    int32_t b_sign;           /* -1 where it is taken from a */
    int32_t b_away, out_away; /* 1 where halves go away from zero, see tm_mve.h */
    int32_t out_zero, act_min, act_max;
};

/* The count begins in lr: there is no other register left for it. */
#define TM_MVE_SUM(total) \
    int32x4_t x, y, t; \
    register int32_t count __asm__("lr") = p->run; \
    __asm__ volatile("dlstp.32 lr, %[count]\n" \
                     "1: vldrb.s32 %q[x], [%[a]], #4\n" \
                     "vldrb.s32 %q[y], [%[b]], #4\n" \
                     "vmlas.s32 %q[x], %q[half], %[a_minus]\n" \
                     "vmlas.s32 %q[y], %q[one], %[b_minus]\n" \
                     "vqrdmulh.s32 %q[y], %q[y], %[b_multiplier]\n" \
                     "vshr.s32 %q[t], %q[y], #31\n" \
                     "vmla.s32 %q[y], %q[t], %[b_away]\n" \
                     "vrshl.s32 %q[y], %[b_shift]\n" \
                     total " %q[x], %q[x], %q[y]\n" \
                     "vqrdmulh.s32 %q[x], %q[x], %[multiplier]\n" \
                     "vshr.s32 %q[t], %q[x], #31\n" \
                     "vmla.s32 %q[x], %q[t], %[away]\n" \
                     "vrshl.s32 %q[x], %[shift]\n" \
                     "vadd.i32 %q[x], %q[x], %[zero]\n" \
                     "vmax.s32 %q[x], %q[x], %q[min]\n" \
                     "vmin.s32 %q[x], %q[x], %q[max]\n" \
                     "vstrb.32 %q[x], [%[to]], #4\n" \
                     "letp lr, 1b\n" \
                     : [a] "+l"(a), [b] "+l"(b), [to] "+l"(to), [x] "=&w"(x), \
                       [y] "=&w"(y), [t] "=&w"(t), [count] "+r"(count) \
                     : [a_minus] "r"(p->a_minus), \
                       [b_minus] "r"(p->b_minus), [b_multiplier] "r"(p->b_multiplier), \
                       [b_away] "r"(p->b_away), [multiplier] "r"(p->out_multiplier), \
                       [away] "r"(p->out_away), [shift] "r"(p->out_shift), \
                       [zero] "r"(p->out_zero), [half] "w"(vdupq_n_s32(p->a_half)), \
                       [one] "w"(vdupq_n_s32(1 << 20)), \
                       [b_shift] "r"(p->b_shift), \
                       [min] "w"(vdupq_n_s32(p->act_min)), \
                       [max] "w"(vdupq_n_s32(p->act_max)) \
                     : "memory");

TM_MVE_SHARED void add_s8__mve_sum(const struct add_s8__mve *p, const int8_t *a, const int8_t *b,
                                   int8_t *to)
{
    TM_MVE_SUM("vadd.i32")
}

TM_MVE_SHARED void add_s8__mve_difference(const struct add_s8__mve *p, const int8_t *a,
                                          const int8_t *b, int8_t *to)
{
    TM_MVE_SUM("vsub.i32")
}

TM_KERNEL void add_s8__mve(const struct add_s8__mve *p, int32_t y0, int32_t y1, struct tm_in in_a,
                           struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t r = 0; r < p->repeat; r++, a += p->a_step, b += p->b_step, to += p->run)
            (p->b_sign < 0 ? add_s8__mve_difference : add_s8__mve_sum)(p, a, b, to);
    }
}

#endif
