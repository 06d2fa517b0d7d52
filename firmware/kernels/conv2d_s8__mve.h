/* Convolution for MVE: any kernel, stride and padding, dilation along y. Input HWC, output HWC,
 * int8. Groups as tm_mve_dense wants them, the taps of a channel in the order
 * (kernel column, kernel row, input channel).
 * Scratch: the input columns that `chunk` output pixels see, each column being ker_h pixels one
 * below the other, so that neighbouring windows overlap in place.
 * Cortex-M55, emulated, 3x3 over 32x32 pixels of 16 channels to 16: 11,171,812 instructions by
 * conv2d_s8, 397,281 here; 722 bytes of text, and those of tm_mve_dense. */
#ifndef TM_KERNELS_CONV2D_S8__MVE_H
#define TM_KERNELS_CONV2D_S8__MVE_H

#include "tm_mve.h"

struct conv2d_s8__mve {
    TM_MVE_LAYER
    int32_t in_h, in_w, in_c, out_w;
    int32_t ker_h, ker_w, stride_h, stride_w, dil_h, pad_h, pad_w;
    int32_t chunk, together; /* output pixels and rows at a time; rows only where out_w is 1 */
    int32_t pack;            /* narrow inputs: pixels in one vector; else 0 */
    int32_t in_zero;
    const uint8_t *spread; /* 16: where the bytes of such a vector belong */
};

/* `count` pixels of `bytes` bytes to every `column` bytes; `from` moves on by `step`. */
TM_MVE_SHARED void conv2d_s8__mve_wide(int8_t *to, const int8_t *from, int32_t step,
                                       int32_t column, int32_t bytes, int32_t count)
{
    for (; bytes > 0; bytes -= 16, to += 16, from += step ? 16 : 0) {
        int8_t *d = to;
        const int8_t *s = from;
        __asm__ volatile("vctp.8 %[bytes]\n"
                         "wls lr, %[count], 2f\n"
                         "1: vpstt\n"
                         "vldrbt.8 q0, [%[s]]\n"
                         "vstrbt.8 q0, [%[d]]\n"
                         "add %[s], %[step]\n"
                         "add %[d], %[column]\n"
                         "le lr, 1b\n"
                         "2:"
                         : [d] "+r"(d), [s] "+r"(s)
                         : [bytes] "r"(bytes), [count] "r"(count), [step] "r"(step),
                           [column] "r"(column)
                         : "q0", "lr", "memory");
    }
}

/* The same for pixels of less than 16 bytes, `pack` of them at a time. */
TM_MVE_SHARED void conv2d_s8__mve_narrow(int8_t *to, const int8_t *from, int32_t step,
                                         int32_t column, int32_t bytes, int32_t count,
                                         int32_t pack, const uint8_t *spread)
{
    const int32_t full = count / pack, rest = (count - full * pack) * bytes;
    __asm__ volatile("vldrb.8 q1, [%[spread]]\n"
                     "vctp.8 %[bytes]\n"
                     "wls lr, %[full], 2f\n"
                     "1: vpstt\n"
                     "vldrbt.8 q0, [%[s]]\n"
                     "vstrbt.8 q0, [%[d], q1]\n"
                     "add %[s], %[step]\n"
                     "add %[d], %[column]\n"
                     "le lr, 1b\n"
                     "2: vctp.8 %[rest]\n"
                     "vpstt\n"
                     "vldrbt.8 q0, [%[s]]\n"
                     "vstrbt.8 q0, [%[d], q1]\n"
                     : [d] "+r"(to), [s] "+r"(from)
                     : [bytes] "r"(bytes * pack), [full] "r"(full), [rest] "r"(rest),
                       [step] "r"(step * pack), [column] "r"(column * pack), [spread] "r"(spread)
                     : "q0", "q1", "lr", "memory");
}

/* Columns [first, last) of the window row of `columns` that starts at (iy, ix). */
TM_MVE_SHARED void conv2d_s8__mve_columns(const struct conv2d_s8__mve *p, int32_t iy, int32_t ix,
                                          int32_t columns, const struct tm_in *in, int8_t *to)
{
    const int32_t column = p->ker_h * p->in_c;
    const int32_t first = tm_min(tm_max(-ix, 0), columns);
    const int32_t last = tm_max(tm_min(p->in_w - ix, columns), first);
    int8_t outside[16];
    tm_mve_fill(outside, p->in_zero, 16);
    tm_mve_fill(to, p->in_zero, first * column);
    tm_mve_fill(to + last * column, p->in_zero, (columns - last) * column);
    to += first * column;
    for (int32_t ky = 0; ky < p->ker_h; ky++, iy += p->dil_h, to += p->in_c) {
        const int8_t *from = outside;
        int32_t step = 0;
        if (iy >= 0 && iy < p->in_h) {
            from = (const int8_t *)tm_in_row(*in, iy) + (ix + first) * p->in_c;
            step = p->in_c;
        }
        if (p->pack)
            conv2d_s8__mve_narrow(to, from, step, column, p->in_c, last - first, p->pack,
                                  p->spread);
        else
            conv2d_s8__mve_wide(to, from, step, column, p->in_c, last - first);
    }
}

TM_MVE_SHARED void conv2d_s8__mve_rows(const struct conv2d_s8__mve *p, int32_t y0, int32_t y1,
                                       const struct tm_in *in, const struct tm_out *out,
                                       int8_t *scratch)
{
    const int32_t column = p->ker_h * p->in_c;
    /* Rows of a single pixel, one behind the other, are done as neighbours. */
    const int32_t together = out->ring ? 1 : p->together;
    for (int32_t y = y0; y < y1; y += together) {
        const int32_t rows = tm_min(together, y1 - y);
        for (int32_t x = 0; x < p->out_w; x += p->chunk) {
            const int32_t pixels = tm_min(p->chunk, p->out_w - x);
            const int32_t columns = (pixels - 1) * p->stride_w + p->ker_w;
            for (int32_t i = 0; i < rows; i++)
                conv2d_s8__mve_columns(p, (y + i) * p->stride_h - p->pad_h,
                                       x * p->stride_w - p->pad_w, columns, in,
                                       scratch + i * columns * column);
            tm_mve_dense(&p->layer, scratch, column * (together > 1 ? p->ker_w : p->stride_w),
                         (int8_t *)tm_out_row(*out, y) + x * p->out_c, pixels * rows);
        }
    }
}

TM_KERNEL void conv2d_s8__mve(const struct conv2d_s8__mve *p, int32_t y0, int32_t y1,
                              struct tm_in in, struct tm_out out, void *scratch)
{
    conv2d_s8__mve_rows(p, y0, y1, &in, &out, scratch);
}

#endif
