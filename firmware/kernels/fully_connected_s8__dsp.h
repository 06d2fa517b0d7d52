/* fully_connected_s8 for cores with the DSP extension: four outputs share each load of inputs.
 * The zero point of the input is part of the biases. Takes whole tensors: y0 and y1 are 0 and 1.
 * Cortex-M4, emulated instructions of the autoencoder's ten layers: 1.64 M with fully_connected_s8,
 * 0.27 M with this; 2.43 M and 0.40 M cycles, estimated for STM32L4R5 at 120 MHz.
 * Text: 356 bytes shared, and 80 to 360 for each layer.
 * scratch: `words` words of inputs, then 4 * groups bytes of outputs. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S8__DSP_H
#define TM_KERNELS_FULLY_CONNECTED_S8__DSP_H

#include "tm_dsp.h"

struct fully_connected_s8__dsp {
    int32_t batches, in_n, out_n, act_min, act_max;
    int32_t words;          /* in_n / 2, rounded up to a multiple of two */
    int32_t groups;         /* of four outputs, the last filled up with zeros */
    const int32_t *weights; /* [group][words][pair] */
    const int32_t *pairs;   /* [group][pair][8], see tm_dsp.h */
};

TM_KERNEL void fully_connected_s8__dsp(const struct fully_connected_s8__dsp *p, int32_t y0,
                                       int32_t y1, struct tm_in in, struct tm_out out,
                                       void *scratch)
{
    (void)y0, (void)y1;
    int32_t *inputs = scratch;
    int8_t *outputs = (int8_t *)(inputs + p->words);
    const int8_t *from = in.base;
    int8_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, from += p->in_n, to += p->out_n) {
        int32_t k = 0;
        for (; k + 4 <= p->in_n; k += 4) {
            const int32_t bytes = tm_load4(from + k);
            inputs[k / 2] = tm_even_bytes(0, bytes);
            inputs[k / 2 + 1] = tm_odd_bytes(0, bytes);
        }
        if (k < p->in_n) {
            int8_t rest[4] = {0};
            for (int32_t i = 0; k + i < p->in_n; i++)
                rest[i] = from[k + i];
            inputs[k / 2] = tm_even_bytes(0, tm_load4(rest));
            inputs[k / 2 + 1] = tm_odd_bytes(0, tm_load4(rest));
        }
        int8_t *direct = p->out_n % 4 ? outputs : to;
        tm_dot_1x4(inputs, p->weights, p->pairs, direct, p->words / 2, p->groups);
        if (p->out_n % 4)
            memcpy(to, outputs, (size_t)p->out_n);
        tm_clamp_bytes(to, p->out_n, p->act_min, p->act_max);
    }
}

#endif
