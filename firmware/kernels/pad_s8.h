/* Surrounds an HWC int8 image, and its channels, with a value. */
#ifndef TM_KERNELS_PAD_S8_H
#define TM_KERNELS_PAD_S8_H

#include "tm_kernel.h"

struct pad_s8 {
    int32_t in_h, in_w, in_c;
    int32_t top, left, right, front, back; /* front and back: channels */
    int32_t value;
};

TM_KERNEL int8_t *pad_s8_fill(const struct pad_s8 *p, int8_t *to, int32_t count)
{
    memset(to, p->value, (size_t)count);
    return to + count;
}

TM_KERNEL void pad_s8(const struct pad_s8 *p, int32_t y0, int32_t y1, struct tm_in in,
                      struct tm_out out, void *scratch)
{
    (void)scratch;
    const int32_t pixel = p->front + p->in_c + p->back;
    for (int32_t y = y0; y < y1; y++) {
        int8_t *to = tm_out_row(out, y);
        const int32_t iy = y - p->top;
        if (iy < 0 || iy >= p->in_h) {
            pad_s8_fill(p, to, (p->left + p->in_w + p->right) * pixel);
            continue;
        }
        const int8_t *from = tm_in_row(in, iy);
        to = pad_s8_fill(p, to, p->left * pixel);
        for (int32_t x = 0; x < p->in_w; x++, from += p->in_c) {
            to = pad_s8_fill(p, to, p->front);
            memcpy(to, from, (size_t)p->in_c);
            to = pad_s8_fill(p, to + p->in_c, p->back);
        }
        pad_s8_fill(p, to, p->right * pixel);
    }
}

#endif
