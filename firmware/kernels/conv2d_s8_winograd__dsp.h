/* conv2d_s8 with a 3x3 kernel and stride 1 as Winograd F(2x2, 3x3), exact in integers: a tile of
 * 4x4 inputs gives 2x2 outputs with 16 products where there were 36. The weights are transformed
 * offline with twice the usual matrix on both sides, so the sums are four times the true ones.
 * Inputs less their zero point and transformed weights fit 16 bits (1020 and 1143 at most).
 * Cortex-M4, emulated instructions of the four such layers of ResNet-8: 49.0 M with conv2d_s8,
 * 6.02 M with this; 67.2 M and 8.12 M cycles, estimated for STM32L4R5 at 120 MHz.
 * Text: 204 bytes shared, and about 1600 for each layer, or once where the build is compact.
 * scratch: 16 * words * 4 words of transformed tiles, 16 * 8 of sums, 16 * in_c bytes of a tile. */
#ifndef TM_KERNELS_CONV2D_S8_WINOGRAD__DSP_H
#define TM_KERNELS_CONV2D_S8_WINOGRAD__DSP_H

#include "tm_dsp.h"

struct conv2d_s8_winograd__dsp {
    int32_t in_h, in_w, in_c, out_w, out_c, pad_h, pad_w;
    int32_t in_zero, act_min, act_max;
    int32_t words;           /* in_c / 2, even */
    const int32_t *weights;  /* [pair of channels][position][words][2] */
    const int32_t *channels; /* [channel][4]: twice the bias, multiplier, addend, shift */
};

/* Rows, then columns: 0 - 2, 1 + 2, 2 - 1, 1 - 3. `step` is from one value to the next. */
TM_KERNEL void conv2d_s8_winograd__dsp_line(int32_t *d, int32_t step)
{
    const int32_t a = d[0], b = d[step], c = d[2 * step], e = d[3 * step];
    d[0] = tm_sub_halves(a, c);
    d[step] = tm_add_halves(b, c);
    d[2 * step] = tm_sub_halves(c, b);
    d[3 * step] = tm_sub_halves(b, e);
}

/* Channels c to c + 3 of one tile; values of a position lie `position` words behind those of the
 * one before. */
TM_KERNEL void conv2d_s8_winograd__dsp_tile(const int8_t *from, int32_t row, int32_t column,
                                            int32_t minus_zero, int32_t *to, int32_t position)
{
    int32_t even[16], odd[16];
    for (int32_t i = 0; i < 16; i++) {
        const int32_t bytes = tm_load4(from + i / 4 * row + i % 4 * column);
        even[i] = tm_even_bytes(minus_zero, bytes);
        odd[i] = tm_odd_bytes(minus_zero, bytes);
    }
    for (int32_t i = 0; i < 4; i++) {
        conv2d_s8_winograd__dsp_line(even + i, 4);
        conv2d_s8_winograd__dsp_line(odd + i, 4);
    }
    for (int32_t i = 0; i < 4; i++) {
        conv2d_s8_winograd__dsp_line(even + 4 * i, 1);
        conv2d_s8_winograd__dsp_line(odd + 4 * i, 1);
    }
    for (int32_t i = 0; i < 16; i++, to += position) {
        to[0] = even[i];
        to[4] = odd[i];
    }
}

/* The tile whose first output is (y, x), all channels. */
TM_KERNEL void conv2d_s8_winograd__dsp_load(const struct conv2d_s8_winograd__dsp *p,
                                            struct tm_in in, int32_t y, int32_t x, int32_t *to,
                                            int8_t *patch)
{
    const int32_t iy = y - p->pad_h, ix = x - p->pad_w;
    const int8_t *from = patch;
    int32_t row = 4 * p->in_c;
    if (!in.ring && iy >= 0 && iy + 4 <= p->in_h && ix >= 0 && ix + 4 <= p->in_w) {
        from = (const int8_t *)tm_in_row(in, iy) + ix * p->in_c;
        row = in.row_bytes;
    } else {
        const int32_t first = tm_max(0, -ix), last = tm_min(4, p->in_w - ix);
        memset(patch, p->in_zero, (size_t)(16 * p->in_c));
        for (int32_t r = 0; r < 4; r++)
            if (iy + r >= 0 && iy + r < p->in_h && first < last)
                memcpy(patch + (4 * r + first) * p->in_c,
                       (const int8_t *)tm_in_row(in, iy + r) + (ix + first) * p->in_c,
                       (size_t)((last - first) * p->in_c));
    }
    const int32_t minus_zero = (-p->in_zero & 0xFFFF) * 0x10001;
    for (int32_t c = 0; c < p->in_c; c += 4)
        conv2d_s8_winograd__dsp_tile(from + c, row, p->in_c, minus_zero, to + 2 * c,
                                     4 * p->words);
}

/* The 2x2 outputs of one channel of one tile, from sums that are 8 words apart. */
TM_KERNEL void conv2d_s8_winograd__dsp_outputs(const int32_t *m, const int32_t *k, int32_t y[4])
{
    int32_t up[4], down[4];
    for (int32_t i = 0; i < 4; i++) {
        const int32_t a = m[8 * i], b = m[8 * (4 + i)], c = m[8 * (8 + i)], d = m[8 * (12 + i)];
        up[i] = a + b + c;
        down[i] = b - c - d;
    }
    y[0] = up[0] + up[1] + up[2];
    y[1] = up[1] - up[2] - up[3];
    y[2] = down[0] + down[1] + down[2];
    y[3] = down[1] - down[2] - down[3];
    for (int32_t i = 0; i < 4; i++) /* a quarter of a multiple of four, doubled */
        y[i] = tm_requantize_twice(k[0] + (y[i] >> 1), k[1], k[2], k[3]);
}

TM_DRIVER void conv2d_s8_winograd__dsp(const struct conv2d_s8_winograd__dsp *p, int32_t y0,
                                       int32_t y1, struct tm_in in, struct tm_out out,
                                       void *scratch)
{
    int32_t *tiles = scratch, *sums = tiles + 64 * p->words;
    int8_t *patch = (int8_t *)(sums + 128);
    for (int32_t y = y0; y < y1; y += 2) {
        int8_t *upper = tm_out_row(out, y), *lower = tm_out_row(out, tm_min(y + 1, y1 - 1));
        for (int32_t x = 0; x < p->out_w; x += 8) {
            const int32_t count = tm_min(4, (p->out_w - x + 1) / 2);
            for (int32_t t = 0; t < count; t++)
                conv2d_s8_winograd__dsp_load(p, in, y, x + 2 * t, tiles + t, patch);
            for (int32_t c = 0; c < p->out_c; c++) {
                if (c % 2 == 0)
                    tm_winograd_4x2(tiles, p->weights + 16 * p->words * c, sums, p->words);
                for (int32_t t = 0; t < count; t++) {
                    const int32_t at = (x + 2 * t) * p->out_c + c;
                    int32_t v[4];
                    conv2d_s8_winograd__dsp_outputs(sums + 2 * t + c % 2, p->channels + 4 * c, v);
                    upper[at] = (int8_t)v[0];
                    if (y + 1 < y1)
                        lower[at] = (int8_t)v[2];
                    if (x + 2 * t + 1 < p->out_w) {
                        upper[at + p->out_c] = (int8_t)v[1];
                        if (y + 1 < y1)
                            lower[at + p->out_c] = (int8_t)v[3];
                    }
                }
            }
        }
    }
    for (int32_t y = y0; y < y1; y++)
        tm_clamp_bytes(tm_out_row(out, y), p->out_w * p->out_c, p->act_min, p->act_max);
}

#endif
