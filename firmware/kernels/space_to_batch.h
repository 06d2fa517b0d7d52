/* Takes every block_h-th row and block_w-th column of a padded image, from each of the possible
 * first ones, as an image of its own: output batch item (row shift, column shift, input item).
 * `fill` is the byte outside the image. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_SPACE_TO_BATCH_H
#define TM_KERNELS_SPACE_TO_BATCH_H

#include "tm_kernel.h"

struct space_to_batch {
    int32_t batches, in_h, in_w, out_h, out_w, pixel; /* bytes of one pixel */
    int32_t block_h, block_w, top, left, fill;
};

TM_KERNEL uint8_t *space_to_batch_row(const struct space_to_batch *p, const uint8_t *row,
                                      uint8_t *to, int32_t shift)
{
    for (int32_t x = 0; x < p->out_w; x++, to += p->pixel) {
        const int32_t ix = x * p->block_w + shift - p->left;
        if (row && ix >= 0 && ix < p->in_w)
            memcpy(to, row + ix * p->pixel, (size_t)p->pixel);
        else
            memset(to, p->fill, (size_t)p->pixel);
    }
    return to;
}

TM_KERNEL void space_to_batch(const struct space_to_batch *p, int32_t y0, int32_t y1,
                              struct tm_in in, struct tm_out out, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const int32_t row_bytes = p->in_w * p->pixel;
    uint8_t *to = out.base;
    for (int32_t down = 0; down < p->block_h; down++)
        for (int32_t across = 0; across < p->block_w; across++) {
            const uint8_t *image = in.base;
            for (int32_t n = 0; n < p->batches; n++, image += p->in_h * row_bytes)
                for (int32_t y = 0; y < p->out_h; y++) {
                    const int32_t iy = y * p->block_h + down - p->top;
                    const uint8_t *row =
                        iy >= 0 && iy < p->in_h ? image + iy * row_bytes : (const uint8_t *)0;
                    to = space_to_batch_row(p, row, to, across);
                }
        }
}

#endif
