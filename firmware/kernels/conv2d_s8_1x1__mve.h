/* Convolution with a 1x1 kernel and no padding for MVE. Input HWC, output HWC, int8. Groups as
 * tm_mve_dense wants them.
 * Scratch, where the input channels are no multiple of 16: the last `tail` pixels, whose blocks
 * of taps would else reach behind the input.
 * Cortex-M55, emulated, 25x5 pixels of 64 channels to 64: 2,906,031 instructions by conv2d_s8,
 * 94,844 here; 1,118 bytes of text shared by all convolutions and 206 for these. */
#ifndef TM_KERNELS_CONV2D_S8_1X1__MVE_H
#define TM_KERNELS_CONV2D_S8_1X1__MVE_H

#include "tm_mve.h"

struct conv2d_s8_1x1__mve {
    TM_MVE_LAYER
    int32_t in_w, in_c, out_w, stride_h, stride_w, tail;
};

TM_MVE_SHARED void conv2d_s8_1x1__mve_run(const struct conv2d_s8_1x1__mve *p, const int8_t *a,
                                          int8_t *to, int32_t count, int8_t *scratch)
{
    const int32_t step = p->stride_w * p->in_c;
    const int32_t tail = tm_min(p->tail, count);
    tm_mve_dense(&p->layer, a, step, to, count - tail);
    if (tail) {
        tm_mve_copy(scratch, a + (count - tail) * step, (tail - 1) * step + p->in_c);
        tm_mve_dense(&p->layer, scratch, step, to + (count - tail) * p->out_c, tail);
    }
}

TM_MVE_SHARED void conv2d_s8_1x1__mve_rows(const struct conv2d_s8_1x1__mve *p, int32_t y0,
                                           int32_t y1, const struct tm_in *in,
                                           const struct tm_out *out, int8_t *scratch)
{
    for (int32_t y = y0; y < y1; y++)
        conv2d_s8_1x1__mve_run(p, tm_in_row(*in, y * p->stride_h), tm_out_row(*out, y), p->out_w,
                               scratch);
}

TM_KERNEL void conv2d_s8_1x1__mve(const struct conv2d_s8_1x1__mve *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    /* Rows that follow one another without a gap are one long row. */
    if (!in.ring && !out.ring && p->stride_h == 1 && p->stride_w == 1 && p->out_w == p->in_w)
        conv2d_s8_1x1__mve_run(p, tm_in_row(in, y0), tm_out_row(out, y0), (y1 - y0) * p->out_w,
                               scratch);
    else
        conv2d_s8_1x1__mve_rows(p, y0, y1, &in, &out, scratch);
}

#endif
