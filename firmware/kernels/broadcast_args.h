/* The shape that two shapes broadcast to, each a list of int32 or int64 sizes. Where both differ
 * and none is 1, the first counts. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_BROADCAST_ARGS_H
#define TM_KERNELS_BROADCAST_ARGS_H

#include "tm_kernel.h"

struct broadcast_args {
    int32_t a_count, b_count, out_count, bytes; /* bytes of one size: 4 or 8 */
};

TM_KERNEL void broadcast_args(const struct broadcast_args *p, int32_t y0, int32_t y1,
                              struct tm_in in_a, struct tm_in in_b, struct tm_out out,
                              void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    for (int32_t i = 0; i < p->out_count; i++) {
        const int32_t ia = i + p->a_count - p->out_count, ib = i + p->b_count - p->out_count;
        const int64_t a = ia < 0 ? 1 : tm_integer(in_a.base, ia, p->bytes);
        const int64_t b = ib < 0 ? 1 : tm_integer(in_b.base, ib, p->bytes);
        const int64_t v = a == 1 ? b : a;
        if (p->bytes == 4)
            ((int32_t *)out.base)[i] = (int32_t)v;
        else
            ((int64_t *)out.base)[i] = v;
    }
}

#endif
