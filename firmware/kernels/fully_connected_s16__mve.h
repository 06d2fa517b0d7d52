/* fully_connected_s16 for MVE. Groups as tm_mve16_dense wants them.
 * Takes whole tensors: y0 and y1 are 0 and 1.
 * Scratch: one input vector, where in_n is no multiple of 8.
 * Cortex-M55, emulated instructions of an autoencoder of ten such layers in int16x8: 0.30 M with
 * fully_connected_s16__dsp, 0.11 M with this; 116 bytes of text, and those of tm_mve16_dense. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S16__MVE_H
#define TM_KERNELS_FULLY_CONNECTED_S16__MVE_H

#include "tm_mve16.h"

struct fully_connected_s16__mve {
    TM_MVE16_LAYER
    int32_t batches, in_n;
};

TM_KERNEL void fully_connected_s16__mve(const struct fully_connected_s16__mve *p, int32_t y0,
                                        int32_t y1, struct tm_in in, struct tm_out out,
                                        void *scratch)
{
    (void)y0, (void)y1;
    const int16_t *a = in.base;
    int16_t *to = out.base;
    if (p->in_n % 8 == 0) {
        tm_mve16_dense(&p->layer, a, p->in_n, to, p->batches);
        return;
    }
    for (int32_t n = 0; n < p->batches; n++, a += p->in_n, to += p->out_c) {
        tm_mve_copy(scratch, a, 2 * p->in_n);
        tm_mve16_dense(&p->layer, scratch, 0, to, 1);
    }
}

#endif
