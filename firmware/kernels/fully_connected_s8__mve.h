/* Matrix times vector for MVE, four outputs at a time; int8. Groups as in tm_mve.h, the
 * weights of four outputs by turns, 16 taps of each. Takes whole tensors: y0 and y1 are 0 and 1.
 * Scratch: one input vector, where in_n is no multiple of 16.
 * Cortex-M55, emulated, 640 to 128: 414,906 instructions by fully_connected_s8, 13,594 here;
 * 220 bytes of text. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S8__MVE_H
#define TM_KERNELS_FULLY_CONNECTED_S8__MVE_H

#include "tm_mve.h"

struct fully_connected_s8__mve {
    TM_MVE_LAYER
    int32_t batches, in_n;
};

#define TM_MVE_FOUR(multiply) \
    "vldrb.8 %q[t1], [%[a]], #16\n" \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    multiply " %[s00], %q[t1], %q[t0]\n" \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    multiply " %[s01], %q[t1], %q[t0]\n" \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    multiply " %[s10], %q[t1], %q[t0]\n" \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    multiply " %[s11], %q[t1], %q[t0]\n"

TM_MVE_SHARED void fully_connected_s8__mve_vector(const struct tm_mve_layer *layer,
                                                  const int8_t *vector, int8_t *output)
{
    TM_MVE_ON_STACK(layer)
    TM_MVE_REGISTERS(layer, output)
    const int8_t *a;
    int32x4_t t0, t1, x0;
    __asm__ volatile("1:\n"
                     "ldr lr, %[more]\n"
                     "mov %[a], %[vector]\n"
                     TM_MVE_FOUR("vmladav.s8")
                     "wls lr, lr, 3f\n"
                     "2:\n"
                     TM_MVE_FOUR("vmladava.s8")
                     "le lr, 2b\n"
                     "3:\n"
                     "vmov %q[x0][2], %q[x0][0], %[s00], %[s10]\n"
                     "vmov %q[x0][3], %q[x0][1], %[s01], %[s11]\n"
                     TM_MVE_REQUANTIZE(1)
                     "subs %[left], #4\n"
                     "bgt 1b\n"
                     : [w] "+r"(w), [a] "=&r"(a), [to] "+r"(to), [left] "+r"(left),
                       [s00] "=&r"(s00), [s01] "=&r"(s01), [s10] "=&r"(s10),
                       [s11] "=&r"(s11), [t0] "=&w"(t0), [t1] "=&w"(t1), [x0] "=&w"(x0)
                     : [vector] "r"(vector), TM_MVE_STACK
                     : "lr", "cc", "memory");
}

TM_KERNEL void fully_connected_s8__mve(const struct fully_connected_s8__mve *p, int32_t y0,
                                       int32_t y1, struct tm_in in, struct tm_out out,
                                       void *scratch)
{
    (void)y0, (void)y1;
    const int8_t *a = in.base;
    int8_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, a += p->in_n, to += p->out_c) {
        if (p->in_n % 16)
            tm_mve_copy(scratch, a, p->in_n);
        fully_connected_s8__mve_vector(&p->layer, p->in_n % 16 ? scratch : a, to);
    }
}

#endif
