/* Bytes known beforehand. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_CONSTANT_H
#define TM_KERNELS_CONSTANT_H

#include "tm_kernel.h"

struct constant {
    int32_t count;
    const uint8_t *bytes;
};

TM_KERNEL void constant(const struct constant *p, int32_t y0, int32_t y1, struct tm_out out,
                        void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    memcpy(out.base, p->bytes, (size_t)p->count);
}

#endif
