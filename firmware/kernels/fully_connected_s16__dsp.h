/* fully_connected_s16 for cores with the DSP extension: four outputs share each load of inputs.
 * Cortex-M4, emulated instructions of an autoencoder of ten such layers in int16x8: 1.49 M with
 * fully_connected_s16, 0.30 M with this; 1.03 to 1.18 for each product of all but the narrowest.
 * Text: 200 bytes shared, and 300 to 500 for each layer, or once where the build is compact.
 * Takes whole tensors: y0 and y1 are 0 and 1.
 * scratch: 8 * steps bytes of inputs. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S16__DSP_H
#define TM_KERNELS_FULLY_CONNECTED_S16__DSP_H

#include "tm_dsp16.h"

struct fully_connected_s16__dsp {
    int32_t batches, in_n, out_n, act_min, act_max;
    int32_t steps; /* of four inputs, the last filled up with zeros */
    int32_t part;  /* steps, for whose sums 32 bits are enough */
    int32_t wide;  /* whether the sums have 64 bits, and the multipliers 15 */
    int32_t once;  /* whether the sums fit 32 bits, and the multipliers are those of SMMULR */
    const int32_t *weights; /* [outputs / 4][steps][4], see tm_dsp16.h */
    const int64_t *bias;    /* one per output, as far as groups of four outputs go */
    const int32_t *multiplier, *shift;
};

TM_DRIVER void fully_connected_s16__dsp(const struct fully_connected_s16__dsp *p, int32_t y0,
                                        int32_t y1, struct tm_in in, struct tm_out out,
                                        void *scratch)
{
    (void)y0, (void)y1;
    const int16_t *from = in.base;
    int16_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, from += p->in_n) {
        const int16_t *inputs = from;
        if (p->in_n % 4 || (uintptr_t)from % 4) {
            int16_t *copy = scratch;
            memcpy(copy, from, 2 * (size_t)p->in_n);
            memset(copy + p->in_n, 0, 8 * (size_t)p->steps - 2 * (size_t)p->in_n);
            inputs = copy;
        }
        const int32_t *w = p->weights;
        for (int32_t o = 0; o < p->out_n; o += 4) {
            int64_t sums[4];
            memcpy(sums, p->bias + o, sizeof sums);
            for (int32_t k = 0; k < p->steps; k += p->part) {
                const int32_t steps = tm_min(p->part, p->steps - k);
                tm_dot16_1x4(inputs + 4 * k, w, sums, steps);
                w += 4 * steps;
            }
            for (int32_t i = 0; i < 4 && o + i < p->out_n; i++) {
                const int32_t m = p->multiplier[o + i];
                const int32_t v = p->once ? tm_mul_high_twice((int32_t)sums[i], m)
                                          : tm_rescale_sum(sums[i], p->wide, m, p->shift[o + i]);
                *to++ = (int16_t)tm_clamp(v, p->act_min, p->act_max);
            }
        }
    }
}

#endif
