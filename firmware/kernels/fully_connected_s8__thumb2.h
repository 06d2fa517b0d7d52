/* fully_connected_s8 for Cortex-M3: eight outputs at once (tm_thumb2.h). The zero point of the
 * input is part of the biases. Takes whole tensors: y0 and y1 are 0 and 1.
 * Cortex-M3, emulated instructions of the anomaly detector: 1.64 M with fully_connected_s8,
 * 0.40 M with this. Text: 812 bytes shared, and about 100 for each layer.
 * scratch: 8 * groups bytes of outputs, where they do not end with a group. */
#ifndef TM_KERNELS_FULLY_CONNECTED_S8__THUMB2_H
#define TM_KERNELS_FULLY_CONNECTED_S8__THUMB2_H

#include "tm_thumb2.h"

struct fully_connected_s8__thumb2 {
    int32_t batches, in_n, out_n, act_min, act_max;
    int32_t groups;         /* of eight outputs, the last filled up with zeros */
    const int32_t *weights; /* [group][in_n][2] */
    const int32_t *table;   /* [group][32], see tm_thumb2.h */
};

TM_DRIVER void fully_connected_s8__thumb2(const struct fully_connected_s8__thumb2 *p, int32_t y0,
                                          int32_t y1, struct tm_in in, struct tm_out out,
                                          void *scratch)
{
    (void)y0, (void)y1;
    const int8_t *from = in.base;
    int8_t *to = out.base;
    for (int32_t n = 0; n < p->batches; n++, from += p->in_n, to += p->out_n) {
        int32_t sum = 0;
        for (int32_t i = 0; i < p->in_n; i++)
            sum += from[i];
        int8_t *direct = p->out_n % 8 ? scratch : to;
        tm_wide_1x8(from, p->weights, p->table, direct, p->in_n, sum * -128, p->groups);
        if (p->out_n % 8)
            memcpy(to, direct, (size_t)p->out_n);
        tm_clamp_bytes(to, p->out_n, p->act_min, p->act_max);
    }
}

#endif
