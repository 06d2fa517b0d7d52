/* Depthwise convolution for MVE. Input HWC, output HWC, int8; groups as in tm_mve.h.
 * Scratch: the input rows of an output row, in groups of four; of each, the columns from the
 * left padding on; of each, per output channel a word of the four rows' bytes. So the window of a
 * channel is a few words: four are one gather, and 16 MACs are one instruction. Weights are blocks
 * of 16 bytes laid out like such a window, of channels 0, 2, 1 and 3 of each group.
 * Cortex-M55, emulated, 3x3 over 25x5 pixels of 64 channels: 813,000 instructions by
 * depthwise_conv2d_s8, 77,000 here; 5x5 with depth multiplier 2 over 25x5 pixels of 16 channels:
 * 756,000 and 94,000; 10 taps over 24 single pixels of 128 channels: 24,600 where each output has
 * windows of its own, 17,900 here. 2,150 bytes of text; 2,500 where windows have several blocks,
 * 3,180 for both kinds in one program. */
#ifndef TM_KERNELS_DEPTHWISE_CONV2D_S8__MVE_H
#define TM_KERNELS_DEPTHWISE_CONV2D_S8__MVE_H

#include "tm_mve.h"

struct depthwise_conv2d_s8__mve {
    TM_MVE_LAYER
    int32_t in_h, in_w, in_c, out_w, depth_multiplier;
    int32_t ker_h, stride_h, stride_w, dil_h, pad_h, pad_w;
    int32_t slice, together; /* channels, and rows of single pixels, at a time */
    int32_t columns, column; /* and the bytes of one: 4 per channel of a slice, rounded up */
    int32_t next; /* columns from those of four rows to those of the next four */
    int32_t in_zero;
    const int32_t *window; /* 4 for each block: offsets of the words of a window in scratch */
    /* Where the input channels of 16 output channels lie from that of the first on. */
    const uint8_t *sources;
};

/* Interleaves the 16 output channels from `c` on, or as many as there are, of `count` pixels of
 * four rows. */
#define TM_MVE_WEAVE(at) \
    "vctp.8 %[left]\n" \
    "wls lr, %[count], 2f\n" \
    "1: vpstttt\n" \
    "vldrbt.u8 q0, [%[a0]" at "]\n" \
    "vldrbt.u8 q1, [%[a1]" at "]\n" \
    "vldrbt.u8 q2, [%[a2]" at "]\n" \
    "vldrbt.u8 q3, [%[a3]" at "]\n" \
    "vst40.8 {q0, q1, q2, q3}, [%[d]]\n" \
    "vst41.8 {q0, q1, q2, q3}, [%[d]]\n" \
    "vst42.8 {q0, q1, q2, q3}, [%[d]]\n" \
    "vst43.8 {q0, q1, q2, q3}, [%[d]]\n" \
    "add %[a0], %[step]\n" \
    "add %[a1], %[step]\n" \
    "add %[a2], %[step]\n" \
    "add %[a3], %[step]\n" \
    "add %[d], %[column]\n" \
    "le lr, 1b\n" \
    "2:"
TM_KERNEL void depthwise_conv2d_s8__mve_weave_16(const struct depthwise_conv2d_s8__mve *p,
                                                 int8_t *d, const int8_t *const *rows, int32_t c,
                                                 int32_t left, int32_t step, int32_t column,
                                                 int32_t count)
{
    const int32_t from = c / p->depth_multiplier;
    const int8_t *a0 = rows[0] + from, *a1 = rows[1] + from;
    const int8_t *a2 = rows[2] + from, *a3 = rows[3] + from;
    if (p->depth_multiplier == 1)
        __asm__ volatile(TM_MVE_WEAVE("")
                         : [d] "+r"(d), [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2),
                           [a3] "+r"(a3)
                         : [left] "r"(left), [count] "r"(count), [column] "r"(column),
                           [step] "r"(step)
                         : "q0", "q1", "q2", "q3", "lr", "memory");
    else
        __asm__ volatile(TM_MVE_WEAVE(", %q[sources]")
                         : [d] "+r"(d), [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2),
                           [a3] "+r"(a3)
                         : [left] "r"(left), [count] "r"(count), [column] "r"(column),
                           [step] "r"(step), [sources] "w"(vld1q_u8(p->sources + c))
                         : "q0", "q1", "q2", "q3", "lr", "memory");
}

/* The same of all `channels` from `c` on; pixels are `step` bytes apart. From the last channels
 * on, since the ends of vectors write over what follows. */
TM_KERNEL void depthwise_conv2d_s8__mve_weave(const struct depthwise_conv2d_s8__mve *p, int8_t *to,
                                              const int8_t *const *rows, int32_t c,
                                              int32_t channels, int32_t step, int32_t column,
                                              int32_t count)
{
    for (int32_t i = (channels - 1) & ~15; i >= 0; i -= 16)
        depthwise_conv2d_s8__mve_weave_16(p, to + 4 * i, rows, c + i, channels - i, step, column,
                                          count);
}

/* Fills those of four interleaved rows that have a bit in `mask`. */
TM_KERNEL void depthwise_conv2d_s8__mve_blank(int8_t *to, int32_t mask, int32_t value,
                                              int32_t bytes)
{
    __asm__ volatile("vdup.8 q0, %[value]\n"
                     "vmsr p0, %[mask]\n"
                     "dls lr, %[count]\n"
                     "1: vpst\n"
                     "vstrbt.8 q0, [%[to]], #16\n"
                     "le lr, 1b"
                     : [to] "+l"(to)
                     : [value] "r"(value), [mask] "r"(mask * 0x1111),
                       [count] "r"((bytes + 15) / 16)
                     : "q0", "lr", "memory");
}

#define TM_MVE_TAPS_1(sum, at) \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    "vldrw.32 %q[t1], [%q[a0], " at "\n" \
    "vmladav.s8 %[s0" sum "], %q[t1], %q[t0]\n"
#define TM_MVE_TAPS_3(sum, at) \
    TM_MVE_TAPS_1(sum, at) \
    "vldrw.32 %q[t1], [%q[a1], " at "\n" \
    "vmladav.s8 %[s1" sum "], %q[t1], %q[t0]\n" \
    "vldrw.32 %q[t1], [%q[a2], " at "\n" \
    "vmladav.s8 %[s2" sum "], %q[t1], %q[t0]\n"

/* a0.. are the addresses of the words of windows, those of the channel before: they move on with
 * the loads. */
#define TM_MVE_CHANNELS(pixels) \
    "1:\n" \
    TM_MVE_TAPS_##pixels("0", "#4]!") \
    TM_MVE_TAPS_##pixels("1", "#8]") \
    TM_MVE_LANES_##pixels("2", "0") \
    TM_MVE_TAPS_##pixels("0", "#4]") \
    TM_MVE_TAPS_##pixels("1", "#12]!") \
    TM_MVE_LANES_##pixels("3", "1") \
    TM_MVE_REQUANTIZE(pixels) \
    "subs %[left], #4\n" \
    "bgt 1b\n"

/* All channels of three neighbouring pixels, or of one. */
TM_KERNEL void depthwise_conv2d_s8__mve_pixels(const struct tm_mve_layer *layer, uint32x4_t a0,
                                               int32_t step, int8_t *output, int32_t pixels)
{
    TM_MVE_ON_STACK(layer)
    TM_MVE_REGISTERS(layer, output)
    register int32_t s20 __asm__("r8"), s21 __asm__("r10");
    int32x4_t t0, t1, x0, x1, x2;
    if (pixels == 3) {
        uint32x4_t a1 = vaddq_n_u32(a0, (uint32_t)step), a2 = vaddq_n_u32(a1, (uint32_t)step);
        __asm__ volatile(TM_MVE_CHANNELS(3)
                         : [w] "+r"(w), [a0] "+w"(a0), [a1] "+w"(a1), [a2] "+w"(a2),
                           [to] "+r"(to), [left] "+r"(left), [s00] "=&r"(s00),
                           [s01] "=&r"(s01), [s10] "=&r"(s10), [s11] "=&r"(s11),
                           [s20] "=&r"(s20), [s21] "=&r"(s21), [t0] "=&w"(t0),
                           [t1] "=&w"(t1), [x0] "=&w"(x0), [x1] "=&w"(x1), [x2] "=&w"(x2)
                         : TM_MVE_STACK
                         : "cc", "memory");
    } else {
        __asm__ volatile(TM_MVE_CHANNELS(1)
                         : [w] "+r"(w), [a0] "+w"(a0), [to] "+r"(to), [left] "+r"(left),
                           [s00] "=&r"(s00), [s01] "=&r"(s01), [t0] "=&w"(t0),
                           [t1] "=&w"(t1), [x0] "=&w"(x0)
                         : TM_MVE_STACK
                         : "cc", "memory");
    }
}

/* The pixels of a row: three at a time, where two are left over again the last three. */
TM_MVE_SHARED void depthwise_conv2d_s8__mve_row(const struct tm_mve_layer *layer, const int8_t *a,
                                                const int32_t *window, int32_t step, int8_t *to,
                                                int32_t count)
{
    const uint32x4_t before = vreinterpretq_u32_s32(vsubq_n_s32(vld1q_s32(window), 4));
    int32_t x = 0;
    while (x < count) {
        if (count - x == 2 && x > 0)
            x--;
        const uint32x4_t a0 = vaddq_n_u32(before, (uint32_t)(uintptr_t)(a + x * step));
        if (count - x >= 3) {
            depthwise_conv2d_s8__mve_pixels(layer, a0, step, to + x * layer->out_c, 3);
            x += 3;
        } else {
            depthwise_conv2d_s8__mve_pixels(layer, a0, step, to + x * layer->out_c, 1);
            x++;
        }
    }
}

/* One block of the windows of a channel in one or three pixels, whose columns begin at a0.. */
#define TM_MVE_BLOCK_1(multiply, sum) \
    "vldrw.32 %q[t2], [%[at]], #16\n" \
    "vldrb.8 %q[t0], [%[w]], #16\n" \
    "vldrw.u32 %q[t1], [%[a0], %q[t2]]\n" \
    multiply " %[s0" sum "], %q[t1], %q[t0]\n"
#define TM_MVE_BLOCK_3(multiply, sum) \
    TM_MVE_BLOCK_1(multiply, sum) \
    "vldrw.u32 %q[t1], [%[a1], %q[t2]]\n" \
    multiply " %[s1" sum "], %q[t1], %q[t0]\n" \
    "vldrw.u32 %q[t1], [%[a2], %q[t2]]\n" \
    multiply " %[s2" sum "], %q[t1], %q[t0]\n"

#define TM_MVE_ON_BY_1(bytes) "add %[a0], #" bytes "\n"
#define TM_MVE_ON_BY_3(bytes) \
    TM_MVE_ON_BY_1(bytes) "add %[a1], #" bytes "\nadd %[a2], #" bytes "\n"

/* All blocks of one channel; then the addresses move on. */
#define TM_MVE_ALL_BLOCKS(pixels, sum, bytes) \
    "ldr lr, %[more]\n" \
    "ldr %[at], %[window]\n" \
    TM_MVE_BLOCK_##pixels("vmladav.s8", sum) \
    "2:\n" \
    TM_MVE_BLOCK_##pixels("vmladava.s8", sum) \
    "le lr, 2b\n" \
    TM_MVE_ON_BY_##pixels(bytes)

#define TM_MVE_CHANNELS_OF_BLOCKS(pixels) \
    "1:\n" \
    TM_MVE_ALL_BLOCKS(pixels, "0", "8") \
    TM_MVE_ALL_BLOCKS(pixels, "1", "-4") \
    TM_MVE_LANES_##pixels("2", "0") \
    TM_MVE_ALL_BLOCKS(pixels, "0", "8") \
    TM_MVE_ALL_BLOCKS(pixels, "1", "4") \
    TM_MVE_LANES_##pixels("3", "1") \
    TM_MVE_REQUANTIZE(pixels) \
    "subs %[left], #4\n" \
    "bgt 1b\n"

/* All channels of three pixels `step` bytes apart, or of one, with windows of several blocks. */
TM_KERNEL void depthwise_conv2d_s8__mve_large_pixels(const struct tm_mve_layer *layer,
                                                     const int8_t *a, const int32_t *window,
                                                     int32_t step, int8_t *output, int32_t pixels)
{
    TM_MVE_ON_STACK(layer)
    TM_MVE_REGISTERS(layer, output)
    register int32_t s20 __asm__("r8"), s21 __asm__("r10");
    register const int8_t *a0 __asm__("r5") = a, *a1 __asm__("r9") = a + step;
    register const int8_t *a2 __asm__("r11") = a + 2 * step;
    const int32_t *at;
    int32x4_t t0, t1, t2, x0, x1, x2;
    if (pixels == 3)
        __asm__ volatile(TM_MVE_CHANNELS_OF_BLOCKS(3)
                         : [w] "+r"(w), [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2),
                           [to] "+r"(to), [left] "+r"(left), [at] "=&r"(at), [s00] "=&r"(s00),
                           [s01] "=&r"(s01), [s10] "=&r"(s10), [s11] "=&r"(s11),
                           [s20] "=&r"(s20), [s21] "=&r"(s21), [t0] "=&w"(t0), [t1] "=&w"(t1),
                           [t2] "=&w"(t2), [x0] "=&w"(x0), [x1] "=&w"(x1), [x2] "=&w"(x2)
                         : TM_MVE_STACK, [window] "m"(window)
                         : "lr", "cc", "memory");
    else
        __asm__ volatile(TM_MVE_CHANNELS_OF_BLOCKS(1)
                         : [w] "+r"(w), [a0] "+r"(a0), [to] "+r"(to), [left] "+r"(left),
                           [at] "=&r"(at), [s00] "=&r"(s00), [s01] "=&r"(s01),
                           [t0] "=&w"(t0), [t1] "=&w"(t1), [t2] "=&w"(t2), [x0] "=&w"(x0)
                         : TM_MVE_STACK, [window] "m"(window)
                         : "lr", "cc", "memory");
}

TM_MVE_SHARED void depthwise_conv2d_s8__mve_large_row(const struct tm_mve_layer *layer,
                                                      const int8_t *a, const int32_t *window,
                                                      int32_t step, int8_t *to, int32_t count)
{
    for (; count >= 3; count -= 3, a += 3 * step, to += 3 * layer->out_c)
        depthwise_conv2d_s8__mve_large_pixels(layer, a, window, step, to, 3);
    for (; count > 0; count--, a += step, to += layer->out_c)
        depthwise_conv2d_s8__mve_large_pixels(layer, a, window, step, to, 1);
}

typedef void depthwise_conv2d_s8__mve_any_row(const struct tm_mve_layer *layer, const int8_t *a,
                                              const int32_t *window, int32_t step, int8_t *to,
                                              int32_t count);

/* The windows of output row y, or of the single pixels of `count` rows that lie inside, for
 * `channels` from `c` on. Those of single pixels are woven once: the lower part of a window is the
 * upper part of one further down. */
TM_MVE_SHARED void depthwise_conv2d_s8__mve_windows(const struct depthwise_conv2d_s8__mve *p,
                                                    int32_t y, int32_t count, int32_t c,
                                                    int32_t channels, const struct tm_in *in,
                                                    int8_t *to)
{
    const int32_t first = tm_min(p->pad_w, p->columns);
    const int32_t last = tm_min(p->in_w + first, p->columns);
    int32_t iy = y * p->stride_h - p->pad_h;
    const int32_t bottom = tm_min(iy + (p->ker_h - 1) * p->dil_h, p->in_h - 1);
    for (int32_t ky = 0; ky < p->ker_h; ky += 4) {
        const int8_t *rows[4];
        int32_t outside = 0;
        if (count > 1) {
            const int32_t woven = ky ? p->next : count;
            const int32_t lowest = bottom + (count - woven) * p->stride_h;
#pragma GCC unroll 1
            for (int32_t i = 0; i < 4; i++)
                rows[i] = tm_in_row(*in, tm_min(iy + i * p->dil_h, lowest));
            depthwise_conv2d_s8__mve_weave(p, to, rows, c, channels, p->stride_h * in->row_bytes,
                                           p->column, woven);
            iy += woven * p->stride_h;
            to += woven * p->column;
            continue;
        }
#pragma GCC unroll 1
        for (int32_t i = 0; i < 4; i++, iy += p->dil_h) {
            const int32_t there = tm_max(tm_min(iy, bottom), 0);
            rows[i] = tm_in_row(*in, there);
            outside |= (iy != there) << i;
        }
        depthwise_conv2d_s8__mve_weave(p, to + first * p->column, rows, c, channels, p->in_c,
                                       p->column, last - first);
        tm_mve_fill(to, p->in_zero, first * p->column);
        tm_mve_fill(to + last * p->column, p->in_zero, (p->columns - last) * p->column);
        outside &= (1 << (p->ker_h - ky)) - 1;
        if (outside)
            depthwise_conv2d_s8__mve_blank(to, outside, p->in_zero, p->columns * p->column);
        to += p->next * p->column;
    }
}

/* How many rows from y on can be done as if they were neighbours: those of a single pixel, if
 * they follow one another and their windows lie inside. */
TM_KERNEL int32_t depthwise_conv2d_s8__mve_count(const struct depthwise_conv2d_s8__mve *p,
                                                 int32_t y, int32_t y1, const struct tm_in *in,
                                                 const struct tm_out *out)
{
    const int32_t count = tm_min(p->together, y1 - y);
    const int32_t top = y * p->stride_h - p->pad_h;
    const int32_t bottom = top + (count - 1) * p->stride_h + (p->ker_h - 1) * p->dil_h;
    return in->ring || out->ring || top < 0 || bottom >= p->in_h ? 1 : count;
}

TM_MVE_SHARED void depthwise_conv2d_s8__mve_rows(const struct depthwise_conv2d_s8__mve *p,
                                                 int32_t y0, int32_t y1, const struct tm_in *in,
                                                 const struct tm_out *out, int8_t *scratch,
                                                 depthwise_conv2d_s8__mve_any_row *row)
{
    for (int32_t y = y0, count; y < y1; y += count) {
        struct tm_mve_layer layer = p->layer;
        count = depthwise_conv2d_s8__mve_count(p, y, y1, in, out);
        for (int32_t c = 0; c < p->out_c; c += p->slice) {
            layer.channels = tm_min(p->slice, p->out_c - c);
            depthwise_conv2d_s8__mve_windows(p, y, count, c, layer.channels, in, scratch);
            row(&layer, scratch, p->window,
                count > 1 ? p->column : p->stride_w * p->column,
                (int8_t *)tm_out_row(*out, y) + c, p->out_w * count);
            layer.groups += p->slice / 4 * (28 + 16 * layer.more);
        }
    }
}

TM_KERNEL void depthwise_conv2d_s8__mve(const struct depthwise_conv2d_s8__mve *p, int32_t y0,
                                        int32_t y1, struct tm_in in, struct tm_out out,
                                        void *scratch)
{
    depthwise_conv2d_s8__mve_rows(p, y0, y1, &in, &out, scratch,
                                  p->more ? depthwise_conv2d_s8__mve_large_row
                                          : depthwise_conv2d_s8__mve_row);
}

#endif
