/* Channels less a running estimate of their noise, but not less than a share of themselves; and
 * the estimate. Even and odd channels have smoothing of their own.
 * State: the estimate. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SPECTRAL_SUBTRACTION_U32_H
#define TM_KERNELS_SPECTRAL_SUBTRACTION_U32_H

#include "tm_kernel.h"

/* Factors have spectral_subtraction_bits of fraction, the estimate smoothing_bits. */
struct spectral_subtraction_u32 {
    int32_t alternate_one_minus_smoothing, alternate_smoothing, clamping, min_signal_remaining;
    int32_t num_channels, one_minus_smoothing, smoothing, smoothing_bits;
    int32_t spectral_subtraction_bits;
};

/* The new estimate of the noise in channel i. */
TM_KERNEL uint32_t spectral_subtraction_u32_noise(const struct spectral_subtraction_u32 *p,
                                                  int32_t i, uint32_t scaled, uint32_t noise)
{
    const uint32_t fresh = (uint32_t)(i & 1 ? p->alternate_smoothing : p->smoothing);
    const uint32_t kept =
        (uint32_t)(i & 1 ? p->alternate_one_minus_smoothing : p->one_minus_smoothing);
    const uint64_t sum = (uint64_t)scaled * fresh + (uint64_t)noise * kept;
    return (uint32_t)(sum >> p->spectral_subtraction_bits);
}

TM_KERNEL void spectral_subtraction_u32(const struct spectral_subtraction_u32 *p, int32_t y0,
                                        int32_t y1, struct tm_in in, struct tm_out out,
                                        struct tm_out noise_out, struct tm_out state,
                                        void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint32_t *a = in.base;
    uint32_t *to = out.base, *noise = state.base;
    for (int32_t i = 0; i < p->num_channels; i++) {
        const uint32_t value = a[i], scaled = value << p->smoothing_bits;
        noise[i] = spectral_subtraction_u32_noise(p, i, scaled, noise[i]);
        const uint32_t taken = noise[i] < scaled ? noise[i] : scaled;
        if (p->clamping)
            noise[i] = taken;
        const uint32_t least = (uint32_t)(((uint64_t)value * (uint32_t)p->min_signal_remaining) >>
                                          p->spectral_subtraction_bits);
        const uint32_t left = (scaled - taken) >> p->smoothing_bits;
        to[i] = left > least ? left : least;
    }
    memcpy(noise_out.base, noise, (size_t)p->num_channels * 4);
}

#endif
