/* Square roots, rounded to nearest, shifted right by a number of bits that is an input.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_FILTER_BANK_SQUARE_ROOT_U64_H
#define TM_KERNELS_FILTER_BANK_SQUARE_ROOT_U64_H

#include "tm_kernel.h"

struct filter_bank_square_root_u64 {
    int32_t count;
};

/* Bit by bit; what remains says how to round, but the largest root of 16 bits stays. */
TM_KERNEL uint32_t filter_bank_square_root_u64_narrow(uint32_t v)
{
    uint32_t root = 0;
    for (uint32_t bit = v ? 1u << ((31 - __builtin_clz(v)) & ~1) : 0; bit; bit >>= 2) {
        const uint32_t trial = root + bit;
        root >>= 1;
        if (v >= trial) {
            v -= trial;
            root += bit;
        }
    }
    return root + (v > root && root != 0xFFFF);
}

TM_KERNEL uint32_t filter_bank_square_root_u64_wide(uint64_t v)
{
    uint64_t root = 0;
    for (uint64_t bit = 1ull << ((63 - __builtin_clzll(v)) & ~1); bit; bit >>= 2) {
        const uint64_t trial = root + bit;
        root >>= 1;
        if (v >= trial) {
            v -= trial;
            root += bit;
        }
    }
    return (uint32_t)(root + (v > root && root != 0xFFFFFFFFu));
}

TM_KERNEL void filter_bank_square_root_u64(const struct filter_bank_square_root_u64 *p, int32_t y0,
                                           int32_t y1, struct tm_in in, struct tm_in bits,
                                           struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint64_t *a = in.base;
    const uint32_t shift = *(const uint32_t *)bits.base & 31; /* as TFLite-Micro on a host */
    uint32_t *to = out.base;
    for (int32_t i = 0; i < p->count; i++) {
        const uint32_t root = a[i] >> 32 ? filter_bank_square_root_u64_wide(a[i])
                                         : filter_bank_square_root_u64_narrow((uint32_t)a[i]);
        to[i] = root >> shift;
    }
}

#endif
