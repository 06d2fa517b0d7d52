/* A tensor taken apart along an axis: `outer` times a run of bytes for each part, in turn. */
#ifndef TM_KERNELS_SPLIT_H
#define TM_KERNELS_SPLIT_H

#include "tm_kernel.h"

struct split {
    int32_t parts, outer;
    const int32_t *bytes; /* of one run, per part */
};

TM_KERNEL void split(const struct split *p, int32_t y0, int32_t y1, const struct tm_in *in,
                     const struct tm_out *out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const uint8_t *from = tm_in_row(in[0], y);
        for (int32_t o = 0; o < p->outer; o++) {
            for (int32_t i = 0; i < p->parts; from += p->bytes[i++]) {
                uint8_t *to = tm_out_row(out[i], y);
                memcpy(to + o * p->bytes[i], from, (size_t)p->bytes[i]);
            }
        }
    }
}

#endif
