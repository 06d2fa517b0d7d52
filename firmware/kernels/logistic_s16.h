/* Logistic of int16 values of zero point 0; output scale 2^-15. */
#ifndef TM_KERNELS_LOGISTIC_S16_H
#define TM_KERNELS_LOGISTIC_S16_H

#include "tm_sigmoid.h"

struct logistic_s16 {
    int32_t count; /* values of one row */
    int32_t multiplier, shift; /* bring the input to 3 * 2^12 for 1 */
    const int16_t *sigmoid;    /* the table of tm_sigmoid.h */
};

TM_KERNEL void logistic_s16(const struct logistic_s16 *p, int32_t y0, int32_t y1, struct tm_in in,
                            struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *a = tm_in_row(in, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            const int32_t round = p->shift > 0 ? 1 << (p->shift - 1) : 0;
            const int32_t x = (a[i] * p->multiplier + round) >> p->shift;
            to[i] = (int16_t)tm_sigmoid(p->sigmoid, x);
        }
    }
}

#endif
