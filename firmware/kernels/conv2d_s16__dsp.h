/* conv2d_s16 for cores with the DSP extension: columns of four pixels, pairs of channels.
 * Cortex-M4, emulated instructions of the nine such layers of a ResNet-8 in int16x8: 64.4 M with
 * conv2d_s16, 13.3 M with this; 0.95 to 1.5 for each product.
 * Text: 680 bytes shared, 680 more where there are layers with and without RELU, and 310 to 1200
 * for each layer, or once where the build is compact.
 * scratch: `chunk` pixels * words * 4 bytes of columns, then words * 4 bytes of taps. */
#ifndef TM_KERNELS_CONV2D_S16__DSP_H
#define TM_KERNELS_CONV2D_S16__DSP_H

#include "tm_dsp16.h"

struct conv2d_s16__dsp {
    uint16_t in_h, in_w, in_c, out_w, out_c;
    uint16_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int16_t act_min, act_max;
    uint16_t run;   /* taps of one kernel row */
    uint16_t words; /* of one pixel's taps; of a pair of channels */
    uint16_t chunk; /* pixels whose columns are made at a time, a multiple of four */
    const int32_t *weights; /* [pair of channels][words], see tm_dsp16.h */
    const int32_t *pairs;   /* [pair of channels][4]: biases, multipliers */
};

/* The taps of output pixel (y, x) as one column. Kernel rows of an odd number of taps are put
 * together in `taps` first. */
TM_KERNEL void conv2d_s16__dsp_column(const struct conv2d_s16__dsp *p, struct tm_in in, int32_t y,
                                      int32_t x, int32_t *to, int16_t *taps)
{
    const int32_t iy = y * p->stride_h - p->pad_h, ix = x * p->stride_w - p->pad_w;
    const int32_t first = tm_max(0, -ix), last = tm_min(p->ker_w, p->in_w - ix);
    const int whole = first == 0 && last == p->ker_w;
    int16_t *at = taps;
    for (int32_t ky = 0; ky < p->ker_h; ky++) {
        const int inside = iy + ky >= 0 && iy + ky < p->in_h && first < last;
        const int16_t *from = at;
        if (inside && whole) {
            from = (const int16_t *)tm_in_row(in, iy + ky) + ix * p->in_c;
        } else {
            memset(at, 0, 2 * (size_t)p->run);
            if (inside) {
                const int16_t *row = tm_in_row(in, iy + ky);
                memcpy(at + first * p->in_c, row + (ix + first) * p->in_c,
                       2 * (size_t)((last - first) * p->in_c));
            }
        }
        if (p->run % 2 == 0) {
            to = tm_column16(to, from, p->run / 2);
            continue;
        }
        if (from != at)
            memcpy(at, from, 2 * (size_t)p->run);
        at += p->run;
    }
    if (p->run % 2)
        tm_column16(to, taps, p->words);
}

TM_DRIVER void conv2d_s16__dsp(const struct conv2d_s16__dsp *p, int32_t y0, int32_t y1,
                               struct tm_in in, struct tm_out out, void *scratch)
{
    int32_t *columns = scratch;
    int16_t *taps = (int16_t *)(columns + p->chunk * p->words);
    const int rectified = !TM_SMALL && p->act_min == 0;
    /* 1x1: each pixel is a column as it lies. */
    const int point =
        !TM_SMALL && p->ker_h == 1 && p->ker_w == 1 && p->stride_h == 1 && p->stride_w == 1;
    /* A whole tensor is one long row of pixels; a ring is taken row by row. */
    const int32_t rows = out.ring || (point && in.ring) ? 1 : y1 - y0;
    for (; y0 < y1; y0 += rows) {
        int16_t *to = tm_out_row(out, y0);
        int32_t y = y0, x = 0, left = rows * p->out_w;
        while (left > 0) {
            const int32_t pixels = tm_min(left, p->chunk);
            if (point) {
                const int16_t *from = (const int16_t *)tm_in_row(in, y) + x * p->in_c;
                for (int32_t i = 0; i < pixels; i++, from += p->in_c)
                    tm_column16(columns + (i & ~3) * p->words + (i & 3), from, p->words);
                x += pixels;
            } else {
                for (int32_t i = 0; i < pixels; i++) {
                    int32_t *column = columns + (i & ~3) * p->words + (i & 3);
                    conv2d_s16__dsp_column(p, in, y, x, column, taps);
                    if (++x == p->out_w)
                        x = 0, y++;
                }
            }
            tm_dot16_pixels(columns, pixels, p->weights, p->pairs, p->words, to, p->out_c,
                            rectified);
            tm_clamp_halves(to, pixels * p->out_c, rectified ? -32768 : p->act_min, p->act_max);
            to += pixels * p->out_c;
            left -= pixels;
        }
    }
}

#endif
