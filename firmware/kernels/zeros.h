/* Zero bytes. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_ZEROS_H
#define TM_KERNELS_ZEROS_H

#include "tm_kernel.h"

struct zeros {
    int32_t count;
};

TM_KERNEL void zeros(const struct zeros *p, int32_t y0, int32_t y1, struct tm_out out,
                     void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    memset(out.base, 0, (size_t)p->count);
}

#endif
