/* mean_s8 or mean_s16 over a whole image, HWC, as its rows come: y0 and y1 count input rows, the
 * last of which completes the output. 1/count is part of the multiplier. `sums` has an int32 for
 * each channel, which must be left alone between the rows of one run. */
#ifndef TM_KERNELS_MEAN_ROWS_H
#define TM_KERNELS_MEAN_ROWS_H

#include "tm_rows.h"

struct mean_rows {
    int32_t in_h, in_w, in_c, bytes;
    int32_t in_zero, out_zero, multiplier, shift;
};

TM_KERNEL void mean_rows(const struct mean_rows *p, int32_t y0, int32_t y1, struct tm_in in,
                         struct tm_out out, struct tm_out sums, void *scratch)
{
    (void)scratch;
    const int32_t *totals = sums.base, zeros = p->in_zero * p->in_h * p->in_w;
    tm_add_rows(in, y0, y1, p->in_w, p->in_c, p->bytes, sums.base);
    for (int32_t c = 0; y1 == p->in_h && c < p->in_c; c++) {
        const int32_t mean = tm_rescale(totals[c] - zeros, p->multiplier, p->shift);
        tm_put_value(out.base, c, p->bytes, mean + p->out_zero);
    }
}

#endif
