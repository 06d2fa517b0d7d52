/* Convolution with a 1x1 kernel and no padding for MVE; input channels in multiples of 16.
 * Input HWC, output HWC, int8. Groups as tm_mve_dense wants them.
 * Cortex-M55, emulated, 25x5 pixels of 64 channels to 64: 2,906,031 instructions by conv2d_s8,
 * 95,469 here; 784 bytes of text shared by all convolutions and 96 for strided ones. */
#ifndef TM_KERNELS_CONV2D_S8_1X1__MVE_H
#define TM_KERNELS_CONV2D_S8_1X1__MVE_H

#include "tm_mve.h"

struct conv2d_s8_1x1__mve {
    TM_MVE_LAYER
    int32_t in_w, in_c, out_w, stride_h, stride_w;
};

TM_MVE_SHARED void conv2d_s8_1x1__mve_rows(const struct conv2d_s8_1x1__mve *p, int32_t y0,
                                           int32_t y1, const struct tm_in *in,
                                           const struct tm_out *out)
{
    for (int32_t y = y0; y < y1; y++)
        tm_mve_dense(&p->layer, tm_in_row(*in, y * p->stride_h), p->stride_w * p->in_c,
                     tm_out_row(*out, y), p->out_w);
}

TM_KERNEL void conv2d_s8_1x1__mve(const struct conv2d_s8_1x1__mve *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    /* Rows that follow one another without a gap are one long row. */
    if (!in.ring && !out.ring && p->stride_h == 1 && p->stride_w == 1 && p->out_w == p->in_w)
        tm_mve_dense(&p->layer, tm_in_row(in, y0), p->in_c, tm_out_row(out, y0),
                     (y1 - y0) * p->out_w);
    else
        conv2d_s8_1x1__mve_rows(p, y0, y1, &in, &out);
}

#endif
