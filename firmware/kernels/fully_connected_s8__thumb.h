/* fully_connected_s8 for Cortex-M0: two products in one, by rows of weights (tm_thumb_rows.h). The
 * zero point of the input is part of the biases. Takes whole tensors: y0 and y1 are 0 and 1.
 * Cortex-M0, emulated instructions of the anomaly detector: 2.28 M with fully_connected_s8, 0.76 M
 * with this; 1.02 M with groups of two taps alone.
 * Text: 240 to 270 bytes shared for each size of a group, and 80 for each layer.
 * scratch: the inputs as words. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S8__THUMB_H
#define TM_KERNELS_FULLY_CONNECTED_S8__THUMB_H

#include "tm_thumb_rows.h"

struct fully_connected_s8__thumb {
    int32_t batches, in_n, out_n, act_min, act_max;
    int32_t group;           /* taps of which the products are summed in 16 bits: 2, 4 or 8 */
    int32_t width;           /* in_n, with zero weights up to a multiple of 16 */
    int32_t bytes;           /* of the inputs as words */
    int32_t rows;            /* of weights: one or more for each output */
    const int32_t *weights;  /* [row][width / 4], see tm_rows_2 */
    const int32_t *channels; /* [row][4]: bias, multiplier, addend, shift, see TM_ROWS */
};

TM_KERNEL void fully_connected_s8__thumb(const struct fully_connected_s8__thumb *p, int32_t y0,
                                         int32_t y1, struct tm_in in, struct tm_out out,
                                         void *scratch)
{
    (void)y0, (void)y1;
    const int8_t *from = in.base;
    int8_t *to = out.base;
    void (*const rows)(const int32_t *, const int32_t *, const int32_t *, int8_t *, int32_t,
                       int32_t, int32_t, int32_t) =
        p->group == 2 ? tm_rows_2 : p->group == 4 ? tm_rows_4 : tm_rows_8;
    for (int32_t n = 0; n < p->batches; n++, from += p->in_n, to += p->out_n) {
        if (p->group == 2)
            tm_pair_taps(scratch, from, p->in_n);
        else
            tm_rows_words(scratch, from, p->in_n, p->width, p->group);
        rows(scratch, p->weights, p->channels, to, p->bytes, p->rows, p->act_min, p->act_max);
    }
}

#endif
