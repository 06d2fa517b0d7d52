/* conv2d_s8 for Cortex-M0: pairs of taps, pairs of channels (tm_thumb.h).
 * The zero point of the input is part of the biases; padding is filled with it.
 * Cortex-M0, emulated instructions of the keyword spotter: 29.8 M with conv2d_s8, 13.1 M with this.
 * Text: 270 bytes shared, and about 600 for each layer, or once where the build is compact.
 * scratch: `chunk` columns of 2 * width bytes, `chunk` pairs of sums, two biases and a pair of
 * channels' weights as words, and `width` bytes for taps that have to be put together. */
#ifndef TM_KERNELS_CONV2D_S8__THUMB_H
#define TM_KERNELS_CONV2D_S8__THUMB_H

#include "tm_thumb.h"

struct conv2d_s8__thumb {
    uint16_t in_h, in_w, in_c, out_w, out_c;
    uint16_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    int16_t in_zero, act_min, act_max;
    uint16_t run;   /* taps of one kernel row */
    uint16_t taps;  /* ker_h * run */
    uint16_t width; /* taps, with zero weights up to a multiple of eight */
    uint16_t chunk; /* pixels whose columns are made at a time */
    const int8_t *weights;   /* [pair of channels][width / 4][2]: taps 1, 0, 3, 2 */
    const int32_t *channels; /* [channel][4]: see tm_split_sums */
};

/* The taps of output pixel (y, x) as one column. */
TM_KERNEL void conv2d_s8__thumb_column(const struct conv2d_s8__thumb *p, struct tm_in in,
                                       int32_t y, int32_t x, int32_t *to, int8_t *bytes)
{
    const int32_t iy = y * p->stride_h - p->pad_h, ix = x * p->stride_w - p->pad_w;
    const int32_t first = tm_max(0, -ix), last = tm_min(p->ker_w, p->in_w - ix);
    const int direct = p->run % 4 == 0 || p->ker_h == 1; /* no need to put rows together */
    int8_t *at = bytes;
    for (int32_t ky = 0; ky < p->ker_h; ky++) {
        const int inside = iy + ky >= 0 && iy + ky < p->in_h && first < last;
        const int8_t *row = inside ? (const int8_t *)tm_in_row(in, iy + ky) + ix * p->in_c : 0;
        if (inside && direct && first == 0 && last == p->ker_w) {
            to = tm_pair_taps(to, row, p->run);
            continue;
        }
        memset(at, p->in_zero, (size_t)p->run);
        if (inside)
            memcpy(at + first * p->in_c, row + first * p->in_c, (size_t)((last - first) * p->in_c));
        if (direct)
            to = tm_pair_taps(to, at, p->run);
        else
            at += p->run;
    }
    if (!direct)
        tm_pair_taps(to, bytes, p->taps);
}

TM_DRIVER void conv2d_s8__thumb(const struct conv2d_s8__thumb *p, int32_t y0, int32_t y1,
                                struct tm_in in, struct tm_out out, void *scratch)
{
    int32_t *columns = scratch;
    int32_t *sums = columns + p->chunk * p->width / 2;
    int32_t *weights = sums + 2 * p->chunk;
    int8_t *bytes = (int8_t *)(weights + 2 + p->width);
    /* A whole tensor is one long row of pixels; a ring is taken row by row. */
    const int32_t rows = out.ring ? 1 : y1 - y0;
    for (; y0 < y1; y0 += rows) {
        int8_t *to = tm_out_row(out, y0);
        int32_t y = y0, x = 0, left = rows * p->out_w;
        while (left > 0) {
            const int32_t pixels = tm_min(left, p->chunk);
            for (int32_t i = 0; i < pixels; i++) {
                conv2d_s8__thumb_column(p, in, y, x, columns + i * p->width / 2, bytes);
                if (++x == p->out_w)
                    x = 0, y++;
            }
            for (int32_t c = 0; c < p->out_c; c += 2) {
                const int32_t *channel = p->channels + 4 * c;
                const int two = c + 1 < p->out_c;
                weights[0] = channel[0];
                weights[1] = two ? channel[4] : 0;
                tm_pair_words(weights + 2, p->weights + c * p->width, p->width / 2);
                tm_pair_dots(columns, weights, sums, 2 * p->width, pixels);
                tm_split_sums(sums, 2, pixels, channel, to + c, p->out_c, p->act_min, p->act_max);
                if (two)
                    tm_split_sums(sums + 1, 2, pixels, channel + 4, to + c + 1, p->out_c,
                                  p->act_min, p->act_max);
            }
            to += pixels * p->out_c;
            left -= pixels;
        }
    }
}

#endif
