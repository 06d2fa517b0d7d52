/* depthwise_conv2d_s8 along one line of pixels, as of a sequence, for cores with the DSP extension.
 * Four channels at a time are gathered as lines of int16, padded with the zero point (which is part
 * of the bias), so that SMLAD takes two neighbouring taps. A word of the line is read for an output
 * at its lower half, by pairs of taps (0, 1), (2, 3), and for one at its upper half, by (-, 0),
 * (1, 2); four outputs share the words. Weights are doubled, which spares the doubling before SMMULR.
 * Cortex-M4, emulated instructions of three such layers of the streaming wakeword model: 389 k with
 * depthwise_conv2d_s8, 185 k with depthwise_conv2d_s8__dsp, 127 k with this; 459 k, 259 k and 169 k
 * cycles, estimated for STM32L4R5 at 120 MHz.
 * Text: 320 to 520 bytes for each layer.
 * scratch: four lines of `line` int16. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S8_LINE__DSP_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S8_LINE__DSP_H

#include "tm_dsp.h"

struct depthwise_conv2d_s8_line__dsp {
    int32_t in_n, out_n, in_c; /* pixels of the line, and channels, a multiple of four */
    int32_t down;              /* whether the line goes down the rows, or along the only one */
    int32_t pad, in_zero, act_min, act_max;
    int32_t rectified;       /* 1 where nothing below the zero point is kept */
    int32_t taps;            /* in taps / 2 + 1 words for a pair of outputs */
    int32_t line;            /* pixels with padding, even */
    const int32_t *weights;  /* [channel][word][2]: of the lower and of the upper output */
    const int32_t *channels; /* [channel][4]: twice the bias, multiplier, addend, shift */
};

/* Pixels [first, first + count) of four channels. */
TM_KERNEL void depthwise_conv2d_s8_line__dsp_gather(const struct depthwise_conv2d_s8_line__dsp *p,
                                                    struct tm_in in, int32_t c, int32_t first,
                                                    int32_t count, int16_t *line)
{
    const int8_t *only = (const int8_t *)in.base + c;
    for (int32_t i = tm_max(first, 0); i < tm_min(first + count, p->in_n); i++) {
        const int8_t *from = p->down ? (const int8_t *)tm_in_row(in, i) + c : only + i * p->in_c;
        tm_spread_planes(line + i - first, p->line, from);
    }
}

/* Four outputs side by side, of a channel `o`. */
TM_KERNEL void depthwise_conv2d_s8_line__dsp_four(const struct depthwise_conv2d_s8_line__dsp *p,
                                                  const int16_t *line, int32_t o,
                                                  int32_t results[4])
{
    const int32_t words = p->taps / 2 + 1;
    const int32_t *w = p->weights + 2 * words * o, *channel = p->channels + 4 * o;
    int32_t here = tm_load4(line);
    for (int i = 0; i < 4; i++)
        results[i] = channel[0];
    TM_UNROLL_8
    for (int32_t i = 0; i < words; i++, w += 2) {
        const int32_t next = tm_load4(line += 2);
        results[0] = tm_mac_both(results[0], here, w[0]);
        results[1] = tm_mac_both(results[1], here, w[1]);
        results[2] = tm_mac_both(results[2], next, w[0]);
        results[3] = tm_mac_both(results[3], next, w[1]);
        here = next;
    }
    for (int i = 0; i < 4; i++)
        results[i] = p->rectified ? tm_requantize_rectified(results[i], channel[1], channel[2],
                                                            channel[3])
                                  : tm_requantize_twice(results[i], channel[1], channel[2],
                                                        channel[3]);
}

TM_DRIVER void depthwise_conv2d_s8_line__dsp(const struct depthwise_conv2d_s8_line__dsp *p,
                                             int32_t y0, int32_t y1, struct tm_in in,
                                             struct tm_out out, void *scratch)
{
    int16_t *lines = scratch;
    const int32_t begin = p->down ? y0 : 0, end = p->down ? y1 : p->out_n;
    /* The padding is the same for all channels, and stays. */
    for (int32_t i = 0; i < 4 * p->line; i++)
        lines[i] = (int16_t)p->in_zero;
    for (int32_t o = 0; o < p->in_c; o++) {
        if (o % 4 == 0)
            depthwise_conv2d_s8_line__dsp_gather(p, in, o, begin - p->pad,
                                                 end - begin + p->taps - 1, lines);
        const int16_t *line = lines + o % 4 * p->line;
#pragma GCC unroll 1 /* one copy: of all, the loop would leave a small instruction cache */
        for (int32_t i = begin; i < end; i += 4, line += 4) {
            int32_t results[4];
            depthwise_conv2d_s8_line__dsp_four(p, line, o, results);
            const int32_t stored = (end - begin) % 4 ? tm_min(end - i, 4) : 4;
            for (int32_t k = 0; k < stored; k++) {
                int8_t *to = p->down ? (int8_t *)tm_out_row(out, i + k)
                                     : (int8_t *)out.base + (i + k) * p->in_c;
                to[o] = (int8_t)results[k];
            }
        }
    }
    for (int32_t y = y0; y < y1; y++)
        tm_clamp_bytes(tm_out_row(out, y), (p->down ? 1 : p->out_n) * p->in_c, p->act_min,
                       p->act_max);
}

#endif
