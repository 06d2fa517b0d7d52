/* Average of each channel over a whole image, HWC int8 or int16, halves rounded away from zero, as
 * its rows come: y0 and y1 count input rows, the last of which completes the output. `sums` has an
 * int32 for each channel, which must be left alone between the rows of one run. */
#ifndef TM_KERNELS_AVERAGE_ROWS_H
#define TM_KERNELS_AVERAGE_ROWS_H

#include "tm_rows.h"

struct average_rows {
    int32_t in_h, in_w, in_c, bytes;
    int32_t act_min, act_max;
};

TM_KERNEL void average_rows(const struct average_rows *p, int32_t y0, int32_t y1, struct tm_in in,
                            struct tm_out out, struct tm_out sums, void *scratch)
{
    (void)scratch;
    const int32_t *totals = sums.base, count = p->in_h * p->in_w;
    tm_add_rows(in, y0, y1, p->in_w, p->in_c, p->bytes, sums.base);
    for (int32_t c = 0; y1 == p->in_h && c < p->in_c; c++) {
        const int32_t mean = tm_average(totals[c], count);
        tm_put_value(out.base, c, p->bytes, tm_clamp(mean, p->act_min, p->act_max));
    }
}

#endif
