/* Energies summed into channels: band i is weighted by `weights` for channel i, by `unweights` for
 * channel i + 1. Channel 0 is not given out: it only begins the next one.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_FILTER_BANK_U32_H
#define TM_KERNELS_FILTER_BANK_U32_H

#include "tm_kernel.h"

struct filter_bank_u32 {
    int32_t channels;
    const int16_t *weights, *unweights;
    const int16_t *starts;        /* of each band in the input */
    const int16_t *weight_starts; /* and in the weights */
    const int16_t *widths;
};

/* The sum of the products of one band; wraps, as does the reference's. */
TM_KERNEL uint64_t filter_bank_u32_sum(const uint32_t *in, const int16_t *weights, int32_t width)
{
    uint64_t sum = 0;
    for (int32_t i = 0; i < width; i++)
        sum += (uint64_t)(int64_t)weights[i] * in[i];
    return sum;
}

TM_KERNEL void filter_bank_u32(const struct filter_bank_u32 *p, int32_t y0, int32_t y1,
                               struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint32_t *a = in.base;
    uint64_t *to = out.base, begun = 0;
    for (int32_t i = 0; i <= p->channels; i++) {
        const uint32_t *band = a + p->starts[i];
        const int32_t at = p->weight_starts[i], width = p->widths[i];
        const uint64_t sum = begun + filter_bank_u32_sum(band, p->weights + at, width);
        begun = filter_bank_u32_sum(band, p->unweights + at, width);
        if (i)
            to[i - 1] = sum;
    }
}

#endif
