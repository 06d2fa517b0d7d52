/* requantize_s8 for MVE, four values at a time.
 * Cortex-M55, emulated, 8,192 values: 114,813 instructions by requantize_s8, 24,688 here;
 * 108 bytes of text. */
#ifndef TM_KERNELS_REQUANTIZE_S8__MVE_H
#define TM_KERNELS_REQUANTIZE_S8__MVE_H

#include "tm_mve.h"

struct requantize_s8__mve {
    int32_t count; /* values of one row */
    int32_t in_zero, out_zero, multiplier, act_min, act_max;
    int32_t left, right; /* shifts before and behind, that to the right as a negative number */
    int32_t away; /* 1 where halves go away from zero, see tm_mve.h */
};

TM_KERNEL void requantize_s8__mve(const struct requantize_s8__mve *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in, y);
        int8_t *to = tm_out_row(out, y);
        int32x4_t x, t;
        __asm__ volatile("dlstp.32 lr, %[count]\n"
                         "1: vldrb.s32 %q[x], [%[a]], #4\n"
                         "vsub.i32 %q[x], %q[x], %[in_zero]\n"
                         "vshl.s32 %q[x], %[left]\n"
                         "vqrdmulh.s32 %q[x], %q[x], %[multiplier]\n"
                         "vshr.s32 %q[t], %q[x], #31\n"
                         "vmla.s32 %q[x], %q[t], %[away]\n"
                         "vrshl.s32 %q[x], %[right]\n"
                         "vadd.i32 %q[x], %q[x], %[out_zero]\n"
                         "vmax.s32 %q[x], %q[x], %q[min]\n"
                         "vmin.s32 %q[x], %q[x], %q[max]\n"
                         "vstrb.32 %q[x], [%[to]], #4\n"
                         "letp lr, 1b\n"
                         : [a] "+l"(a), [to] "+l"(to), [x] "=&w"(x), [t] "=&w"(t)
                         : [count] "r"(p->count), [in_zero] "r"(p->in_zero),
                           [multiplier] "r"(p->multiplier), [away] "r"(p->away),
                           [left] "r"(p->left), [right] "r"(p->right), [out_zero] "r"(p->out_zero),
                           [min] "w"(vdupq_n_s32(p->act_min)), [max] "w"(vdupq_n_s32(p->act_max))
                         : "lr", "memory");
    }
}

#endif
