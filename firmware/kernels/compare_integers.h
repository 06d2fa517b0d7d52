/* Compares two tensors of bool, int32 or int64, broadcasting: a step of 0 stays in place. */
#ifndef TM_KERNELS_COMPARE_INTEGERS_H
#define TM_KERNELS_COMPARE_INTEGERS_H

#include "tm_kernel.h"

struct compare_integers {
    int32_t width, channels;
    int32_t a_column, a_channel, b_column, b_channel; /* steps in the operands, in values */
    int32_t bytes;                /* of a value: 1, 4 or 8 */
    int32_t less, equal, greater; /* what to write where a < b, a = b, a > b: 0 or 1 */
};

/* Value i of `bytes` bytes: bool, int32 or int64. */
TM_KERNEL int64_t compare_integers_get(const void *values, int32_t i, int32_t bytes)
{
    return bytes == 1 ? ((const uint8_t *)values)[i] : tm_integer(values, i, bytes);
}

TM_KERNEL void compare_integers(const struct compare_integers *p, int32_t y0, int32_t y1,
                                struct tm_in in_a, struct tm_in in_b, struct tm_out out,
                                void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const void *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        uint8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++) {
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t ia = x * p->a_column + c * p->a_channel;
                const int32_t ib = x * p->b_column + c * p->b_channel;
                const int64_t va = compare_integers_get(a, ia, p->bytes);
                const int64_t vb = compare_integers_get(b, ib, p->bytes);
                *to++ = (uint8_t)(va < vb ? p->less : va > vb ? p->greater : p->equal);
            }
        }
    }
}

#endif
