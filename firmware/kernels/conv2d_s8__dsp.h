/* conv2d_s8 for cores with the DSP extension: columns of four pixels, pairs of channels.
 * The zero point of the input is part of the biases; padding is filled with it.
 * Cortex-M4, emulated instructions of the five such layers of the keyword spotter: 15.6 M with
 * conv2d_s8, 2.50 M with this; 22.2 M and 3.20 M cycles, estimated for STM32L4R5 at 120 MHz.
 * Text: 740 bytes shared, 772 more where there are layers without a rectifier, and 310 to 1380 for
 * each layer, or once where the build is compact.
 * scratch: `chunk` pixels * words * 4 bytes of columns, then 2 * words bytes of taps. */
#ifndef TM_KERNELS_CONV2D_S8__DSP_H
#define TM_KERNELS_CONV2D_S8__DSP_H

#include "tm_dsp.h"

struct conv2d_s8__dsp {
    uint16_t in_h, in_w, in_c, out_w, out_c;
    uint16_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int16_t in_zero, act_min, act_max;
    uint16_t rectified; /* 1 where nothing below the zero point is kept */
    uint16_t run;   /* taps of one kernel row */
    uint16_t words; /* of one pixel's taps, rounded up to a multiple of two; of a pair of channels */
    uint16_t chunk; /* pixels whose columns are made at a time, a multiple of four */
    const int32_t *weights; /* [pair of channels][words] */
    const int32_t *pairs;   /* [pair of channels][8], see tm_dsp.h */
};

/* The taps of output pixel (y, x) as one column. Kernel rows that are no multiple of four taps are
 * put together in `bytes` first. */
TM_KERNEL void conv2d_s8__dsp_column(const struct conv2d_s8__dsp *p, struct tm_in in, int32_t y,
                                     int32_t x, int32_t *to, int8_t *bytes)
{
    const int32_t iy = y * p->stride_h - p->pad_h, ix = x * p->stride_w - p->pad_w;
    const int32_t first = tm_max(0, -ix), last = tm_min(p->ker_w, p->in_w - ix);
    const int whole = first == 0 && last == p->ker_w;
    int8_t *at = bytes;
    for (int32_t ky = 0; ky < p->ker_h; ky++) {
        const int inside = iy + ky >= 0 && iy + ky < p->in_h && first < last;
        const int8_t *from = at;
        if (inside && whole) {
            from = (const int8_t *)tm_in_row(in, iy + ky) + ix * p->in_c;
        } else {
            memset(at, p->in_zero, (size_t)p->run);
            if (inside) {
                const int8_t *row = tm_in_row(in, iy + ky);
                memcpy(at + first * p->in_c, row + (ix + first) * p->in_c,
                       (size_t)((last - first) * p->in_c));
            }
        }
        if (p->run % 4 == 0) {
            to = tm_column(to, from, p->run);
            continue;
        }
        if (from != at)
            memcpy(at, from, (size_t)p->run);
        at += p->run;
    }
    if (p->run % 4)
        tm_column(to, bytes, 2 * p->words);
}

TM_DRIVER void conv2d_s8__dsp(const struct conv2d_s8__dsp *p, int32_t y0, int32_t y1,
                              struct tm_in in, struct tm_out out, void *scratch)
{
    int32_t *columns = scratch;
    int8_t *border = (int8_t *)(columns + p->chunk * p->words);
    /* 1x1: each pixel is a column as it lies. */
    const int point =
        !TM_SMALL && p->ker_h == 1 && p->ker_w == 1 && p->stride_h == 1 && p->stride_w == 1;
    /* A whole tensor is one long row of pixels; a ring is taken row by row. */
    const int32_t rows = out.ring || (point && in.ring) ? 1 : y1 - y0;
    for (; y0 < y1; y0 += rows) {
        int8_t *to = tm_out_row(out, y0);
        int32_t y = y0, x = 0, left = rows * p->out_w;
        while (left > 0) {
            const int32_t pixels = tm_min(left, p->chunk);
            if (point) {
                const int8_t *from = (const int8_t *)tm_in_row(in, y) + x * p->in_c;
                for (int32_t i = 0; i < pixels; i++, from += p->in_c)
                    tm_column(columns + (i & ~3) * p->words + (i & 3), from, 2 * p->words);
                x += pixels;
            } else {
                for (int32_t i = 0; i < pixels; i++) {
                    int32_t *column = columns + (i & ~3) * p->words + (i & 3);
                    conv2d_s8__dsp_column(p, in, y, x, column, border);
                    if (++x == p->out_w)
                        x = 0, y++;
                }
            }
            tm_dot_pixels(columns, pixels, p->weights, p->pairs, p->words, to, p->out_c,
                          !TM_SMALL && p->rectified);
            tm_clamp_bytes(to, pixels * p->out_c, p->act_min, p->act_max);
            to += pixels * p->out_c;
            left -= pixels;
        }
    }
}

#endif
