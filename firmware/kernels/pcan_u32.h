/* Per-channel amplitude normalisation: each channel times a gain that falls with its noise, then
 * x^2 / 4 below 2 and x - 1 above.
 * The gain is a piecewise parabola: of each power of two four entries, of which three count.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_PCAN_U32_H
#define TM_KERNELS_PCAN_U32_H

#include "tm_kernel.h"

struct pcan_u32 {
    int32_t count, snr_shift;
    const int16_t *gains;
};

TM_KERNEL uint32_t pcan_u32_gain(const int16_t *gains, uint32_t noise)
{
    if (noise <= 2)
        return (uint32_t)gains[noise];
    const int32_t bits = 32 - __builtin_clz(noise);
    const int16_t *piece = gains + 4 * bits - 6;
    const uint32_t x = (bits < 11 ? noise << (11 - bits) : noise >> (bits - 11)) & 0x3FF;
    const int32_t square = (piece[2] * (int32_t)x) >> 5;
    const uint32_t sum = ((uint32_t)square + ((uint32_t)piece[1] << 5)) * x; /* may wrap */
    return (uint32_t)(int16_t)(((int32_t)(sum + (1u << 14)) >> 15) + piece[0]);
}

/* x has 12 bits of fraction, the result 6. */
TM_KERNEL uint32_t pcan_u32_shrink(uint32_t x)
{
    return x < 2u << 12 ? (x * x) >> 20 : (x >> 6) - (1u << 6);
}

TM_KERNEL void pcan_u32(const struct pcan_u32 *p, int32_t y0, int32_t y1, struct tm_in in,
                        struct tm_in noise, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint32_t *a = in.base, *b = noise.base;
    uint32_t *to = out.base;
    for (int32_t i = 0; i < p->count; i++) {
        const uint64_t product = (uint64_t)a[i] * pcan_u32_gain(p->gains, b[i]);
        to[i] = pcan_u32_shrink((uint32_t)(product >> p->snr_shift));
    }
}

#endif
