/* conv2d_s8 for Cortex-M3: columns of four pixels, pairs of channels (tm_thumb2.h).
 * The zero point of the input is part of the biases; padding is filled with it.
 * Cortex-M3, emulated instructions of ResNet-8: 67.5 M with conv2d_s8, 15.7 M with this.
 * Text: 650 bytes shared, and about 800 for each layer, or once where the build is compact.
 * scratch: `chunk` pixels * taps * 2 bytes of columns, then 4 * run bytes for taps at the border. */
#ifndef TM_KERNELS_CONV2D_S8__THUMB2_H
#define TM_KERNELS_CONV2D_S8__THUMB2_H

#include "tm_thumb2.h"

struct conv2d_s8__thumb2 {
    uint16_t in_h, in_w, in_c, out_w, out_c;
    uint16_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int16_t in_zero, act_min, act_max;
    uint16_t run;          /* taps of one kernel row */
    uint16_t taps;         /* ker_h * run */
    uint16_t chunk;        /* pixels whose columns are made at a time, a multiple of four */
    const int8_t *weights; /* [pair of channels][taps][2] */
    const int32_t *pairs;  /* [pair of channels][10], see tm_thumb2.h */
};

/* The taps of kernel row iy from input column ix on; where not all are inside, a copy at `at`. */
TM_KERNEL const int8_t *conv2d_s8__thumb2_row(const struct conv2d_s8__thumb2 *p, struct tm_in in,
                                              int32_t iy, int32_t ix, int8_t *at)
{
    const int32_t first = tm_max(0, -ix), last = tm_min(p->ker_w, p->in_w - ix);
    const int inside = iy >= 0 && iy < p->in_h && first < last;
    if (inside && first == 0 && last == p->ker_w)
        return (const int8_t *)tm_in_row(in, iy) + ix * p->in_c;
    memset(at, p->in_zero, (size_t)p->run);
    if (inside) {
        const int8_t *row = tm_in_row(in, iy);
        memcpy(at + first * p->in_c, row + (ix + first) * p->in_c,
               (size_t)((last - first) * p->in_c));
    }
    return at;
}

TM_DRIVER void conv2d_s8__thumb2(const struct conv2d_s8__thumb2 *p, int32_t y0, int32_t y1,
                                 struct tm_in in, struct tm_out out, void *scratch)
{
    int32_t *columns = scratch;
    int8_t *border = (int8_t *)(columns + p->chunk / 2 * p->taps);
    /* A whole tensor is one long row of pixels; a ring is taken row by row. */
    const int32_t rows = out.ring ? 1 : y1 - y0;
    for (; y0 < y1; y0 += rows) {
        int8_t *to = tm_out_row(out, y0);
        int32_t y = y0, x = 0, left = rows * p->out_w;
        while (left > 0) {
            const int32_t pixels = tm_min(left, p->chunk);
            int32_t *column = columns;
            for (int32_t i = 0; i < pixels; i += 4) {
                int32_t iy[4], ix[4];
#pragma GCC unroll 1
                for (int32_t k = 0; k < 4; k++) {
                    iy[k] = y * p->stride_h - p->pad_h;
                    ix[k] = x * p->stride_w - p->pad_w;
                    if (i + k + 1 < pixels && ++x == p->out_w)
                        x = 0, y++;
                }
                for (int32_t ky = 0; ky < p->ker_h; ky++) {
                    const int8_t *from[4];
#pragma GCC unroll 1
                    for (int32_t k = 0; k < 4; k++)
                        from[k] =
                            conv2d_s8__thumb2_row(p, in, iy[k] + ky, ix[k], border + k * p->run);
                    column = tm_wide_columns(column, from, p->run);
                }
            }
            if (++x == p->out_w)
                x = 0, y++;
            tm_wide_pixels(columns, pixels, p->weights, p->pairs, p->taps, to, p->out_c);
            tm_clamp_bytes(to, pixels * p->out_c, p->act_min, p->act_max);
            to += pixels * p->out_c;
            left -= pixels;
        }
    }
}

#endif
