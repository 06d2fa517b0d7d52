/* scale * ln(value * 2^correction_bits), as int16; 0 for values below 2.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_FILTER_BANK_LOG_U32_H
#define TM_KERNELS_FILTER_BANK_LOG_U32_H

#include "tm_kernel.h"

struct filter_bank_log_u32 {
    int32_t count, correction_bits, scale;
    const int16_t *table; /* log2(1 + x) - x of 129 points, Q0.16 */
};

/* log2(1 + x), both Q0.16, between two points of the table. */
TM_KERNEL int32_t filter_bank_log_u32_fraction(const int16_t *table, int32_t x)
{
    const int32_t at = x >> 9, rest = x & 511;
    return x + table[at] + (((table[at + 1] - table[at]) * rest) >> 16);
}

TM_KERNEL uint32_t filter_bank_log_u32_value(const struct filter_bank_log_u32 *p, uint32_t v)
{
    const int32_t whole = 31 - __builtin_clz(v);
    const uint32_t rest = v - (1u << whole);
    const int32_t x = (int32_t)(whole < 16 ? rest << (16 - whole) : rest >> (whole - 16));
    const uint32_t log2 =
        ((uint32_t)whole << 16) + (uint32_t)filter_bank_log_u32_fraction(p->table, x);
    const uint32_t natural = (uint32_t)((45426ull * log2 + 32768) >> 16); /* ln 2, Q0.16 */
    return ((uint32_t)p->scale * natural + 32768) >> 16;
}

TM_KERNEL void filter_bank_log_u32(const struct filter_bank_log_u32 *p, int32_t y0, int32_t y1,
                                   struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint32_t *a = in.base;
    int16_t *to = out.base;
    for (int32_t i = 0; i < p->count; i++) {
        const uint32_t v = a[i] << p->correction_bits;
        const uint32_t log = v > 1 ? filter_bank_log_u32_value(p, v) : 0;
        to[i] = (int16_t)(log < 32767 ? log : 32767);
    }
}

#endif
