/* add_s8 without broadcasting along x or channels for MVE, four values at a time. The operand of
 * the larger scale is `a`: it is halved only, a * 2^20 * 2^30 / 2^31; shifts go to the right.
 * Cortex-M55, emulated, 16,384 values: 767,406 instructions by add_s8, 299,250 by add_s8__dsp,
 * 74,719 here; 154 bytes of text. */
#ifndef TM_KERNELS_ADD_S8__MVE_H
#define TM_KERNELS_ADD_S8__MVE_H

#include "tm_mve.h"

struct add_s8__mve {
    int32_t count;            /* values of one row */
    int32_t a_minus, b_minus; /* -a_zero * 2^19, -b_zero * 2^20 */
    int32_t b_multiplier, b_shift, out_multiplier, out_shift; /* shifts as negative numbers */
    int32_t b_away, out_away; /* 1 where halves go away from zero, see tm_mve.h */
    int32_t out_zero, act_min, act_max;
};

TM_MVE_SHARED void add_s8__mve_row(const struct add_s8__mve *p, const int8_t *a, const int8_t *b,
                                   int8_t *to)
{
    int32x4_t x, y, t;
    __asm__ volatile("dlstp.32 lr, %[count]\n"
                     "1: vldrb.s32 %q[x], [%[a]], #4\n"
                     "vldrb.s32 %q[y], [%[b]], #4\n"
                     "vmlas.s32 %q[x], %q[half], %[a_minus]\n"
                     "vmlas.s32 %q[y], %q[one], %[b_minus]\n"
                     "vqrdmulh.s32 %q[y], %q[y], %[b_multiplier]\n"
                     "vshr.s32 %q[t], %q[y], #31\n"
                     "vmla.s32 %q[y], %q[t], %[b_away]\n"
                     "vrshl.s32 %q[y], %q[y], %q[b_shift]\n"
                     "vadd.i32 %q[x], %q[x], %q[y]\n"
                     "vqrdmulh.s32 %q[x], %q[x], %[multiplier]\n"
                     "vshr.s32 %q[t], %q[x], #31\n"
                     "vmla.s32 %q[x], %q[t], %[away]\n"
                     "vrshl.s32 %q[x], %[shift]\n"
                     "vadd.i32 %q[x], %q[x], %[zero]\n"
                     "vmax.s32 %q[x], %q[x], %q[min]\n"
                     "vmin.s32 %q[x], %q[x], %q[max]\n"
                     "vstrb.32 %q[x], [%[to]], #4\n"
                     "letp lr, 1b\n"
                     : [a] "+l"(a), [b] "+l"(b), [to] "+l"(to), [x] "=&w"(x), [y] "=&w"(y),
                       [t] "=&w"(t)
                     : [count] "r"(p->count), [a_minus] "r"(p->a_minus),
                       [b_minus] "r"(p->b_minus), [b_multiplier] "r"(p->b_multiplier),
                       [b_away] "r"(p->b_away), [multiplier] "r"(p->out_multiplier),
                       [away] "r"(p->out_away), [shift] "r"(p->out_shift),
                       [zero] "r"(p->out_zero), [half] "w"(vdupq_n_s32(1 << 19)),
                       [one] "w"(vdupq_n_s32(1 << 20)), [b_shift] "w"(vdupq_n_s32(p->b_shift)),
                       [min] "w"(vdupq_n_s32(p->act_min)), [max] "w"(vdupq_n_s32(p->act_max))
                     : "lr", "memory");
}

TM_KERNEL void add_s8__mve(const struct add_s8__mve *p, int32_t y0, int32_t y1, struct tm_in in_a,
                           struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++)
        add_s8__mve_row(p, tm_in_row(in_a, y), tm_in_row(in_b, y), tm_out_row(out, y));
}

#endif
