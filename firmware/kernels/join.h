/* Tensors put together along an axis: `outer` times a run of bytes of each, in turn. */
#ifndef TM_KERNELS_JOIN_H
#define TM_KERNELS_JOIN_H

#include "tm_kernel.h"

struct join {
    int32_t parts, outer;
    const int32_t *bytes; /* of one run, per part */
};

TM_KERNEL void join(const struct join *p, int32_t y0, int32_t y1, const struct tm_in *in,
                    const struct tm_out *out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        uint8_t *to = tm_out_row(out[0], y);
        for (int32_t o = 0; o < p->outer; o++) {
            for (int32_t i = 0; i < p->parts; to += p->bytes[i++]) {
                const uint8_t *from = tm_in_row(in[i], y);
                memcpy(to, from + o * p->bytes[i], (size_t)p->bytes[i]);
            }
        }
    }
}

#endif
