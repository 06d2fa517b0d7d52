/* fully_connected_s8 for Cortex-M0: pairs of taps (tm_thumb.h). The zero point of the input is
 * part of the biases. Takes whole tensors: y0 and y1 are 0 and 1.
 * Cortex-M0, emulated instructions of the anomaly detector: 2.28 M with fully_connected_s8, 1.02 M
 * with this. Text: 260 bytes shared, and about 250 for each layer.
 * scratch: 2 * width bytes of inputs as words, then 16 sums. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S8__THUMB_H
#define TM_KERNELS_FULLY_CONNECTED_S8__THUMB_H

#include "tm_thumb.h"

struct fully_connected_s8__thumb {
    int32_t batches, in_n, out_n, act_min, act_max;
    int32_t width;           /* in_n, with zero weights up to a multiple of 16 */
    const int32_t *weights;  /* [output][width / 4]: see tm_pair_rows */
    const int32_t *channels; /* [output][4]: bias, multiplier, addend, shift, see tm_split.h */
};

TM_DRIVER void fully_connected_s8__thumb(const struct fully_connected_s8__thumb *p, int32_t y0,
                                         int32_t y1, struct tm_in in, struct tm_out out,
                                         void *scratch)
{
    (void)y0, (void)y1;
    int32_t *inputs = scratch, *sums = inputs + p->width / 2;
    const int8_t *from = in.base;
    int8_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, from += p->in_n) {
        tm_pair_taps(inputs, from, p->in_n);
        for (int32_t o = 0; o < p->out_n; o += 16) {
            const int32_t count = tm_min(p->out_n - o, 16);
            const int32_t *channel = p->channels + 4 * o;
            for (int32_t i = 0; i < count; i++)
                sums[i] = channel[4 * i];
            tm_pair_rows(inputs, p->weights + o * (p->width / 4), sums, 2 * p->width, count);
            for (int32_t i = 0; i < count; i++, channel += 4) {
                const int32_t v =
                    tm_requantize_split(sums[i], channel[1], channel[2], channel[3]);
                *to++ = (int8_t)tm_clamp(v, p->act_min, p->act_max);
            }
        }
    }
}

#endif
