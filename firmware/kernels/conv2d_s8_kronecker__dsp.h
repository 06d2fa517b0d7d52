/* conv2d_s8 for cores with the DSP extension, by 64-bit products: columns of three pixels, four
 * channels at a time; see tm_kronecker.h. The zero point of the input is part of the biases;
 * padding is filled with it. Only for layers with a rectifier.
 * Cortex-M4, emulated instructions of the five such layers of the keyword spotter: 15.6 M with
 * conv2d_s8, 2.50 M with conv2d_s8__dsp, 2.04 M with this; 22.2 M, 3.20 M and 2.43 M cycles,
 * estimated for STM32L4R5 at 120 MHz with weights in RAM. Of the three of the streaming wakeword
 * model whose sums are `wide`: 630 k with conv2d_s8__dsp, 502 k with this; 802 k, 593 k cycles.
 * Text: 756 bytes shared, 804 for `wide` sums, and about 900 for each layer.
 * scratch: `chunk` / 3 * taps * 8 bytes of columns, then 3 * taps bytes. */
#ifndef TM_KERNELS_CONV2D_S8_KRONECKER__DSP_H
#define TM_KERNELS_CONV2D_S8_KRONECKER__DSP_H

#include "tm_kronecker.h"

struct conv2d_s8_kronecker__dsp {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int32_t in_zero, act_min, act_max;
    int32_t taps;
    int32_t wide;            /* whether two sums of a pair of channels may be over 21 bits together */
    int32_t chunk;           /* pixels whose columns are made at a time, a multiple of three */
    const int32_t *weights;  /* [four channels][tap][2] */
    const int32_t *channels; /* [four channels][12] */
};

/* The taps of output pixel (y, x), where some of them may be padding. */
TM_KERNEL void conv2d_s8_kronecker__dsp_gather(const struct conv2d_s8_kronecker__dsp *p,
                                               struct tm_in in, int32_t iy, int32_t ix, int8_t *to)
{
    const int32_t first = tm_max(0, -ix), last = tm_min(p->ker_w, p->in_w - ix);
    const int32_t run = p->ker_w * p->in_c;
    for (int32_t ky = 0; ky < p->ker_h; ky++, to += run) {
        const int inside = iy + ky >= 0 && iy + ky < p->in_h && first < last;
        const int8_t *from = inside ? (const int8_t *)tm_in_row(in, iy + ky) + ix * p->in_c : to;
        if (inside && first == 0 && last == p->ker_w) {
            memcpy(to, from, (size_t)run);
            continue;
        }
        memset(to, p->in_zero, (size_t)run);
        if (inside)
            memcpy(to + first * p->in_c, from + first * p->in_c,
                   (size_t)((last - first) * p->in_c));
    }
}

/* The columns of three output pixels, of which the first is (y, x); those behind the last of
 * `left` are it once more. */
TM_KERNEL void conv2d_s8_kronecker__dsp_columns(const struct conv2d_s8_kronecker__dsp *p,
                                                struct tm_in in, int32_t y, int32_t x,
                                                int32_t left, int32_t *to, int8_t *bytes)
{
    const int32_t iy = y * p->stride_h - p->pad_h, ix = x * p->stride_w - p->pad_w;
    const int32_t run = p->ker_w * p->in_c, next = p->stride_w * p->in_c;
    /* 1x1: pixels lie side by side, from one row to the next as well. */
    const int point = p->ker_h == 1 && p->ker_w == 1 && p->stride_h == 1 && p->stride_w == 1;
    const int inside = ix >= 0 && ix + 2 * p->stride_w + p->ker_w <= p->in_w && iy >= 0 &&
                       iy + p->ker_h <= p->in_h && (!in.ring || p->ker_h == 1);
    if (left >= 3 && (point || (inside && x + 3 <= p->out_w))) {
        const int8_t *from = (const int8_t *)tm_in_row(in, iy) + ix * p->in_c;
#pragma GCC unroll 1
        for (int32_t ky = 0; ky < p->ker_h; ky++, from += in.row_bytes)
            to = tm_kronecker_column(to, from, from + next, from + 2 * next, run);
        return;
    }
    const int8_t *from[3];
    int32_t step[3];
#pragma GCC unroll 1
    for (int i = 0; i < 3; i++, bytes += p->taps) {
        const int32_t top = y * p->stride_h - p->pad_h, at = x * p->stride_w - p->pad_w;
        from[i] = bytes;
        step[i] = run;
        if (at >= 0 && at + p->ker_w <= p->in_w && top >= 0 && top + p->ker_h <= p->in_h &&
            (!in.ring || p->ker_h == 1)) {
            from[i] = (const int8_t *)tm_in_row(in, top) + at * p->in_c;
            step[i] = in.row_bytes;
        } else {
            conv2d_s8_kronecker__dsp_gather(p, in, top, at, bytes);
        }
        if (i + 1 < left && ++x == p->out_w)
            x = 0, y++;
    }
#pragma GCC unroll 1
    for (int32_t ky = 0; ky < p->ker_h; ky++) {
        to = tm_kronecker_column(to, from[0], from[1], from[2], run);
        for (int i = 0; i < 3; i++)
            from[i] += step[i];
    }
}

TM_DRIVER void conv2d_s8_kronecker__dsp(const struct conv2d_s8_kronecker__dsp *p, int32_t y0,
                                        int32_t y1, struct tm_in in, struct tm_out out,
                                        void *scratch)
{
    int32_t *columns = scratch;
    int8_t *bytes = (int8_t *)(columns + p->chunk / 3 * 2 * p->taps);
    /* A whole tensor is one long row of pixels; a ring is taken row by row. */
    const int32_t rows = out.ring ? 1 : y1 - y0;
    for (; y0 < y1; y0 += rows) {
        int8_t *to = tm_out_row(out, y0);
        int32_t y = y0, x = 0, left = rows * p->out_w;
        while (left > 0) {
            const int32_t pixels = tm_min(left, p->chunk);
            for (int32_t i = 0; i < pixels; i += 3) {
                conv2d_s8_kronecker__dsp_columns(p, in, y, x, pixels - i,
                                                 columns + 2 * i / 3 * p->taps, bytes);
                for (x += 3; x >= p->out_w; x -= p->out_w)
                    y++;
            }
            tm_kronecker_pixels(columns, pixels, p->weights, p->channels, p->taps, to, p->out_c,
                                p->wide);
            tm_clamp_bytes(to, pixels * p->out_c, p->act_min, p->act_max);
            to += pixels * p->out_c;
            left -= pixels;
        }
    }
}

#endif
