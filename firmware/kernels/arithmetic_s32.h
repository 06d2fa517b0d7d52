/* Arithmetic of two int32 tensors, broadcasting: a step of 0 stays in place. Results wrap, and
 * are then bounded; what is divided by 0 becomes the largest value of its sign. */
#ifndef TM_KERNELS_ARITHMETIC_S32_H
#define TM_KERNELS_ARITHMETIC_S32_H

#include "tm_kernel.h"

struct arithmetic_s32 {
    int32_t width, channels;
    int32_t a_column, a_channel, b_column, b_channel; /* steps in the operands, in values */
    int32_t operation; /* 0 to 6: sum, difference, product, quotient, maximum, minimum, and the
                        * square of the difference */
    int32_t act_min, act_max;
};

TM_KERNEL int32_t arithmetic_s32_quotient(int32_t a, int32_t b)
{
    if (b == 0)
        return a < 0 ? INT32_MIN : INT32_MAX;
    return b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b;
}

TM_KERNEL int32_t arithmetic_s32_value(int32_t operation, int32_t a, int32_t b)
{
    switch (operation) {
    case 0:
        return (int32_t)((uint32_t)a + (uint32_t)b);
    case 1:
        return (int32_t)((uint32_t)a - (uint32_t)b);
    case 2:
        return (int32_t)((uint32_t)a * (uint32_t)b);
    case 3:
        return arithmetic_s32_quotient(a, b);
    case 4:
        return tm_max(a, b);
    case 5:
        return tm_min(a, b);
    default: {
        const uint32_t difference = (uint32_t)a - (uint32_t)b;
        return (int32_t)(difference * difference);
    }
    }
}

TM_KERNEL void arithmetic_s32(const struct arithmetic_s32 *p, int32_t y0, int32_t y1,
                              struct tm_in in_a, struct tm_in in_b, struct tm_out out,
                              void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int32_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++) {
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t va = a[x * p->a_column + c * p->a_channel];
                const int32_t vb = b[x * p->b_column + c * p->b_channel];
                const int32_t v = arithmetic_s32_value(p->operation, va, vb);
                *to++ = tm_clamp(v, p->act_min, p->act_max);
            }
        }
    }
}

#endif
