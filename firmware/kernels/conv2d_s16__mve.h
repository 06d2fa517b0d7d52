/* conv2d_s16 for MVE: any kernel, stride and padding, dilation along y. Groups as tm_mve16_dense
 * wants them.
 * Scratch: the taps of `chunk` output pixels, of each `taps` values; none where the input has them
 * as they are wanted.
 * Cortex-M55, emulated instructions of the nine such layers of a ResNet-8 in int16x8: 13.3 M with
 * conv2d_s16__dsp, 4.52 M with this; of those with kernels of 1x1 of a keyword spotter: 2.16 M and
 * 0.61 M. 1,530 bytes of text, and 36 to 88 for each layer. */
#ifndef TM_KERNELS_CONV2D_S16__MVE_H
#define TM_KERNELS_CONV2D_S16__MVE_H

#include "tm_mve16.h"

struct conv2d_s16__mve {
    TM_MVE16_LAYER
    int32_t in_h, in_w, in_c, out_w;
    int32_t ker_h, ker_w, stride_h, stride_w, dil_h, pad_h, pad_w;
    int32_t taps;  /* of a pixel, rounded up to a multiple of 8 */
    int32_t chunk; /* output pixels at a time; 0: 1x1 without padding, channels by vectors of 8 */
};

/* The taps of the output pixel whose window starts at (iy, ix). */
TM_MVE_SHARED void conv2d_s16__mve_taps(const struct conv2d_s16__mve *p, const struct tm_in *in,
                                        int32_t iy, int32_t ix, int16_t *to)
{
    const int32_t run = p->ker_w * p->in_c;
    const int32_t first = tm_min(tm_max(-ix, 0), p->ker_w);
    const int32_t last = tm_max(tm_min(p->in_w - ix, p->ker_w), first);
    for (int32_t ky = 0; ky < p->ker_h; ky++, iy += p->dil_h, to += run) {
        if (iy < 0 || iy >= p->in_h || last == first) {
            tm_mve_fill(to, 0, 2 * run);
            continue;
        }
        const int16_t *from = (const int16_t *)tm_in_row(*in, iy) + (ix + first) * p->in_c;
        tm_mve_fill(to, 0, 2 * first * p->in_c);
        tm_mve_copy(to + first * p->in_c, from, 2 * (last - first) * p->in_c);
        tm_mve_fill(to + last * p->in_c, 0, 2 * (p->ker_w - last) * p->in_c);
    }
}

TM_MVE_SHARED void conv2d_s16__mve_rows(const struct conv2d_s16__mve *p, int32_t y0, int32_t y1,
                                        const struct tm_in *in, const struct tm_out *out,
                                        int16_t *scratch)
{
    for (int32_t y = y0; y < y1; y++) {
        const int32_t iy = y * p->stride_h - p->pad_h;
        int16_t *to = tm_out_row(*out, y);
        if (p->chunk == 0) {
            tm_mve16_dense(&p->layer, tm_in_row(*in, iy), p->stride_w * p->in_c, to, p->out_w);
            continue;
        }
        for (int32_t x = 0; x < p->out_w; x += p->chunk, to += p->chunk * p->out_c) {
            const int32_t pixels = tm_min(p->chunk, p->out_w - x);
            for (int32_t i = 0; i < pixels; i++)
                conv2d_s16__mve_taps(p, in, iy, (x + i) * p->stride_w - p->pad_w,
                                     scratch + i * p->taps);
            tm_mve16_dense(&p->layer, scratch, p->taps, to, pixels);
        }
    }
}

TM_KERNEL void conv2d_s16__mve(const struct conv2d_s16__mve *p, int32_t y0, int32_t y1,
                               struct tm_in in, struct tm_out out, void *scratch)
{
    /* Rows that follow one another without a gap are one long row. */
    if (p->chunk == 0 && !in.ring && !out.ring && p->stride_h == 1 && p->stride_w == 1)
        tm_mve16_dense(&p->layer, tm_in_row(in, y0), p->in_c, tm_out_row(out, y0),
                       (y1 - y0) * p->out_w);
    else
        conv2d_s16__mve_rows(p, y0, y1, &in, &out, scratch);
}

#endif
