/* Transposed convolution. Input HWC, weights OHWI, output HWC; float32. Each output pixel adds up
 * the input pixels whose kernel, laid out from stride times their place, reaches it: in the order
 * of the input, and the bias last. */
#ifndef TM_KERNELS_TRANSPOSE_CONV_F32_H
#define TM_KERNELS_TRANSPOSE_CONV_F32_H

#include "tm_kernel.h"

struct transpose_conv_f32 {
    int32_t in_h, in_w, in_c, out_w, out_c;
    int32_t ker_h, ker_w, stride_h, stride_w, pad_h, pad_w;
    float act_min, act_max;
    const float *weights, *bias; /* bias: one per output channel */
};

/* The first input place whose kernel of `size` reaches `place`. */
TM_KERNEL int32_t transpose_conv_f32_first(int32_t place, int32_t size, int32_t stride)
{
    return place < size ? 0 : (place - size) / stride + 1;
}

/* One past the last input place, of `count`, whose kernel reaches `place`. */
TM_KERNEL int32_t transpose_conv_f32_last(int32_t place, int32_t count, int32_t stride)
{
    return place / stride < count ? place / stride + 1 : count;
}

/* Adds to sum what the input row under kernel row ky gives to output column x and channel o. */
TM_KERNEL float transpose_conv_f32_row(const struct transpose_conv_f32 *p, const float *row,
                                       int32_t x, int32_t o, int32_t ky, float sum)
{
    const int32_t right = x + p->pad_w;
    const int32_t end = transpose_conv_f32_last(right, p->in_w, p->stride_w);
    for (int32_t ix = transpose_conv_f32_first(right, p->ker_w, p->stride_w); ix < end; ix++) {
        const int32_t kx = right - ix * p->stride_w;
        const float *a = row + ix * p->in_c;
        const float *w = p->weights + ((o * p->ker_h + ky) * p->ker_w + kx) * p->in_c;
        for (int32_t i = 0; i < p->in_c; i++)
            sum += a[i] * w[i];
    }
    return sum;
}

TM_KERNEL void transpose_conv_f32(const struct transpose_conv_f32 *p, int32_t y0, int32_t y1,
                                  struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int32_t down = y + p->pad_h;
        const int32_t first = transpose_conv_f32_first(down, p->ker_h, p->stride_h);
        const int32_t end = transpose_conv_f32_last(down, p->in_h, p->stride_h);
        float *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->out_w; x++)
            for (int32_t o = 0; o < p->out_c; o++) {
                float sum = 0.0f;
                for (int32_t iy = first; iy < end; iy++)
                    sum = transpose_conv_f32_row(p, tm_in_row(in, iy), x, o,
                                                 down - iy * p->stride_h, sum);
                *to++ = tm_clamp_f32(sum + p->bias[o], p->act_min, p->act_max);
            }
    }
}

#endif
