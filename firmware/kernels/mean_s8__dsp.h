/* mean_s8 over neighbouring dimensions in front of others, as height and width are in front of the
 * channels, for cores with the DSP extension: sums of four channels as halves of two words.
 * Takes whole tensors: y0 and y1 are 0 and 1.
 * Cortex-M4, emulated, 7x7 pixels of 64 channels: 7,692 instructions by mean_s8, 3,850 here. Text:
 * 230 to 380 bytes for each layer. */
#ifndef TM_KERNELS_MEAN_S8__DSP_H
#define TM_KERNELS_MEAN_S8__DSP_H

#include "tm_dsp.h"

struct mean_s8__dsp {
    int32_t outer, taps, channels;     /* input [outer][taps][channels], at least four of these */
    int32_t minus;                     /* taps times the input's zero point */
    int32_t multiplier, addend, shift; /* see tm_dsp.h */
};

TM_PIECE void mean_s8__dsp_four(const struct mean_s8__dsp *p, const int8_t *at, int8_t *to)
{
    int32_t sums[4] = {0};
    for (int32_t first = 0; first < p->taps; first += 256) {
        int32_t even = 0, odd = 0;
        tm_sum_fours(&even, &odd, at + first * p->channels, p->channels,
                     tm_min(p->taps - first, 256));
        sums[0] += (int16_t)even;
        sums[1] += (int16_t)odd;
        sums[2] += even >> 16;
        sums[3] += odd >> 16;
    }
    for (int32_t i = 0; i < 4; i++)
        to[i] = (int8_t)tm_requantize_twice(2 * (sums[i] - p->minus), p->multiplier, p->addend,
                                            p->shift);
}

TM_DRIVER void mean_s8__dsp(const struct mean_s8__dsp *p, int32_t y0, int32_t y1, struct tm_in in,
                            struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int8_t *a = in.base;
    int8_t *to = out.base;
    for (int32_t i = 0; i < p->outer; i++, a += p->taps * p->channels, to += p->channels)
        for (int32_t c = 0; c < p->channels; c += 4) {
            const int32_t at = tm_min(c, p->channels - 4); /* the last four overlap others */
            mean_s8__dsp_four(p, a + at, to + at);
        }
}

#endif
