/* depthwise_conv2d_s16 for MVE: eight output channels of a pixel at a time, straight from the input.
 * Products of even and of odd channels are added up apart, as VMULLB and VMULLT give them.
 * Cortex-M55, emulated instructions of the four such layers of a keyword spotter in int16x8: 0.71 M
 * with depthwise_conv2d_s16_3x3__dsp, 0.39 M with this; of 5x5 with depth multiplier 2 over 25x5
 * pixels of 16 channels: 0.41 M with depthwise_conv2d_s16__dsp, 0.17 M with this.
 * Text: about 600 bytes for each layer, or 960 once where the build is compact. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S16__MVE_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S16__MVE_H

#include "tm_mve.h"

struct depthwise_conv2d_s16__mve {
    int32_t in_h, in_w, in_c, out_w, out_c, depth_multiplier;
    int32_t ker_h, ker_w, stride_h, stride_w, dil_h, dil_w, pad_h, pad_w;
    int32_t act_min, act_max;
    const int8_t *weights;   /* [eight channels][tap][8] */
    const int32_t *channels; /* [eight channels][2][2][4]: biases, multipliers; even ones, odd ones */
    const uint8_t *sources; /* of each output channel the input channel, from that of its eight on */
};

/* The part of a window that lies inside the image. */
struct depthwise_conv2d_s16__mve_window {
    const uint8_t *base; /* its first column of the image */
    int32_t row, ky0, ky1, kx0, kx1;
};

/* Channels [o, o + 8), as far as there are such; `whole` where all are, and as many inputs. */
TM_KERNEL void depthwise_conv2d_s16__mve_eight(const struct depthwise_conv2d_s16__mve *p,
                                               const struct tm_in *in,
                                               struct depthwise_conv2d_s16__mve_window window,
                                               int32_t o, int whole, int16_t *to)
{
    const mve_pred16_t there = whole ? 0 : vctp16q((uint32_t)(p->out_c - o));
    const int32_t *k = p->channels + 2 * o;
    const int8_t *weights = p->weights + (p->ker_h * o + window.ky0 * 8) * p->ker_w;
    const uint16x8_t sources = whole ? vdupq_n_u16(0) : vldrbq_u16(p->sources + o);
    const int32_t first = whole ? o : o / p->depth_multiplier;
    int32x4_t even = vld1q_s32(k), odd = vld1q_s32(k + 4);
    const int32_t step = p->dil_w * p->in_c;
    weights += 8 * window.kx0;
    for (int32_t ky = window.ky0; ky < window.ky1; ky++, weights += 8 * p->ker_w) {
        const int16_t *a = (const int16_t *)(window.base + window.row * in->row_bytes) + first;
        const int8_t *w = weights;
        for (int32_t kx = window.kx0; kx < window.kx1; kx++, a += step, w += 8) {
            const int16x8_t x =
                whole ? vldrhq_s16(a) : vldrhq_gather_shifted_offset_z_s16(a, sources, there);
            const int16x8_t v = vldrbq_s16(w);
            even = vaddq_s32(even, vmullbq_int_s16(x, v));
            odd = vaddq_s32(odd, vmulltq_int_s16(x, v));
        }
        window.row += p->dil_h;
        if (in->ring && window.row >= in->ring)
            window.row -= in->ring;
    }
    even = vrmulhq_s32(even, vld1q_s32(k + 8));
    odd = vrmulhq_s32(odd, vld1q_s32(k + 12));
    int16x8_t v = vqmovntq_s32(vqmovnbq_s32(vdupq_n_s16(0), even), odd);
    v = vmaxq_s16(v, vdupq_n_s16((int16_t)p->act_min));
    v = vminq_s16(v, vdupq_n_s16((int16_t)p->act_max));
    if (whole)
        vstrhq_s16(to + o, v);
    else
        vstrhq_p_s16(to + o, v, there);
}

TM_DRIVER void depthwise_conv2d_s16__mve(const struct depthwise_conv2d_s16__mve *p, int32_t y0,
                                         int32_t y1, struct tm_in in, struct tm_out out,
                                         void *scratch)
{
    (void)scratch;
    const int32_t whole = p->depth_multiplier == 1 ? p->out_c & ~7 : 0;
    for (int32_t y = y0; y < y1; y++) {
        struct depthwise_conv2d_s16__mve_window window;
        const int32_t iy = y * p->stride_h - p->pad_h;
        window.ky0 = tm_first_tap(iy, p->dil_h);
        window.ky1 = tm_last_tap(iy, p->dil_h, p->ker_h, p->in_h);
        window.row = tm_ring(iy + window.ky0 * p->dil_h, in.ring);
        int16_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->out_w; x++, to += p->out_c) {
            const int32_t ix = x * p->stride_w - p->pad_w;
            window.kx0 = tm_first_tap(ix, p->dil_w);
            window.kx1 = tm_last_tap(ix, p->dil_w, p->ker_w, p->in_w);
            window.base = (const uint8_t *)in.base + 2 * (ix + window.kx0 * p->dil_w) * p->in_c;
            int32_t o = 0;
            for (; o < whole; o += 8)
                depthwise_conv2d_s16__mve_eight(p, &in, window, o, 1, to);
            for (; o < p->out_c; o += 8)
                depthwise_conv2d_s16__mve_eight(p, &in, window, o, 0, to);
        }
    }
}

#endif
