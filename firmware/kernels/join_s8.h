/* int8 tensors of different scales put together along an axis: each brought to the scale of the
 * output first, as QUANTIZE does it. A part whose multiplier is 0 has that scale already. */
#ifndef TM_KERNELS_JOIN_S8_H
#define TM_KERNELS_JOIN_S8_H

#include "tm_kernel.h"

struct join_s8 {
    int32_t parts, outer, out_zero;
    const int32_t *bytes; /* of one run, per part */
    const int32_t *in_zero, *multiplier, *shift;
};

TM_KERNEL void join_s8(const struct join_s8 *p, int32_t y0, int32_t y1, const struct tm_in *in,
                       const struct tm_out *out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        int8_t *to = tm_out_row(out[0], y);
        for (int32_t o = 0; o < p->outer; o++) {
            for (int32_t i = 0; i < p->parts; to += p->bytes[i++]) {
                const int8_t *from = (const int8_t *)tm_in_row(in[i], y) + o * p->bytes[i];
                if (p->multiplier[i] == 0) {
                    memcpy(to, from, (size_t)p->bytes[i]);
                    continue;
                }
                for (int32_t k = 0; k < p->bytes[i]; k++) {
                    const int32_t v =
                        tm_rescale(from[k] - p->in_zero[i], p->multiplier[i], p->shift[i]);
                    to[k] = (int8_t)tm_clamp(v + p->out_zero, -128, 127);
                }
            }
        }
    }
}

#endif
