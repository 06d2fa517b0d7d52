/* Rest of a division of two integer tensors that is rounded down: of the divisor's sign.
 * Broadcasting: a step of 0 stays in place. */
#ifndef TM_KERNELS_FLOOR_MOD_INT_H
#define TM_KERNELS_FLOOR_MOD_INT_H

#include "tm_kernel.h"

struct floor_mod_int {
    int32_t width, channels;
    int32_t a_column, a_channel, b_column, b_channel; /* steps in the operands, in values */
    int32_t bytes;                                    /* of a value: 4 or 8 */
};

/* Division by 0 gives 0; the smallest value by -1 wraps. */
static inline int64_t floor_mod_int_one(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    if (b == -1)
        return 0;
    const int64_t rest = a % b;
    const int64_t other_signs = rest != 0 && (b < 0) != (rest < 0);
    return other_signs ? rest + b : rest;
}

TM_KERNEL void floor_mod_int(const struct floor_mod_int *p, int32_t y0, int32_t y1, struct tm_in in_a, struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const void *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        uint8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++) {
            for (int32_t c = 0; c < p->channels; c++, to += p->bytes) {
                const int64_t va = tm_integer(a, x * p->a_column + c * p->a_channel, p->bytes);
                const int64_t vb = tm_integer(b, x * p->b_column + c * p->b_channel, p->bytes);
                const int64_t result = floor_mod_int_one(va, vb);
                if (p->bytes == 4)
                    *(int32_t *)to = (int32_t)result;
                else
                    *(int64_t *)to = result;
            }
        }
    }
}

#endif
