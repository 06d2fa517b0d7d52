/* Each pixel divided by its Euclidean length over the channels, HWC int8; output scale 1/128. */
#ifndef TM_KERNELS_L2_NORMALIZATION_S8_H
#define TM_KERNELS_L2_NORMALIZATION_S8_H

#include "tm_kernel.h"

struct l2_normalization_s8 {
    int32_t width, channels, in_zero;
};

TM_KERNEL int32_t l2_normalization_s8_raise(int32_t x, int32_t bits)
{
    const int64_t v = (int64_t)x * (1 << bits);
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

/* 1 / sqrt(x) as multiplier and left shift: five Newton steps from 1 in Q3.28. */
TM_KERNEL int32_t l2_normalization_s8_inverse_root(int32_t x, int32_t *shift)
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
        const int32_t step = tm_mul_high(half, l2_normalization_s8_raise(cube, 6));
        root = l2_normalization_s8_raise(tm_mul_high(3 << 27, root) - step, 3);
    }
    root = tm_mul_high(root, 1518500250); /* sqrt(1/2) */
    if (right < 0)
        return tm_shift_left(root, -right);
    *shift = -right;
    return root;
}

TM_KERNEL void l2_normalization_s8(const struct l2_normalization_s8 *p, int32_t y0, int32_t y1,
                                   struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++, a += p->channels, to += p->channels) {
            int32_t sum = 0, shift;
            for (int32_t c = 0; c < p->channels; c++)
                sum += (a[c] - p->in_zero) * (a[c] - p->in_zero);
            const int32_t multiplier = l2_normalization_s8_inverse_root(sum, &shift);
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t v = tm_rescale(a[c] - p->in_zero, multiplier, shift + 7);
                to[c] = (int8_t)tm_clamp(v, -128, 127);
            }
        }
    }
}

#endif
