/* Inverse square roots in fixed point, as TFLite-Micro's GetInvSqrtQuantizedMultiplierExp. */
#ifndef TM_ROOT_H
#define TM_ROOT_H

#include "tm_kernel.h"

TM_KERNEL int32_t tm_raise(int32_t x, int32_t bits)
{
    const int64_t v = (int64_t)x * (1 << bits);
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

/* 1 / sqrt(x) as multiplier and left shift: five Newton steps from 1 in Q3.28. */
TM_KERNEL int32_t tm_inverse_root(int32_t x, int32_t *shift)
{
    *shift = 0;
    if (x <= 1)
        return INT32_MAX;
    int32_t right = 11;
    for (; x >= 1 << 29; x /= 4)
        right++;
    const int32_t pairs = (__builtin_clz((uint32_t)x) - 1) / 2 - 1;
    right -= pairs;
    const int32_t half = tm_shift_right(tm_shift_left(x, 2 * pairs) >> 1, 1);
    int32_t root = 1 << 28;
    for (int i = 0; i < 5; i++) {
        const int32_t cube = tm_mul_high(tm_mul_high(root, root), root);
        const int32_t step = tm_mul_high(half, tm_raise(cube, 6));
        root = tm_raise(tm_mul_high(3 << 27, root) - step, 3);
    }
    root = tm_mul_high(root, 1518500250); /* sqrt(1/2) */
    if (right < 0)
        return tm_shift_left(root, -right);
    *shift = -right;
    return root;
}

#endif
