/* Sums of each channel over the pixels of an image, row by row: what a layer that reads the whole
 * image keeps of it. Values are of one byte or of two. */
#ifndef TM_ROWS_H
#define TM_ROWS_H

#include "tm_kernel.h"

static inline int32_t tm_value(const void *values, int32_t i, int32_t bytes)
{
    return bytes == 1 ? ((const int8_t *)values)[i] : ((const int16_t *)values)[i];
}

static inline void tm_put_value(void *values, int32_t i, int32_t bytes, int32_t value)
{
    const int32_t bounded = bytes == 1 ? tm_clamp(value, -128, 127) : tm_clamp_s16(value);
    if (bytes == 1)
        ((int8_t *)values)[i] = (int8_t)bounded;
    else
        ((int16_t *)values)[i] = (int16_t)bounded;
}

/* Adds rows [y0, y1) of `width` pixels; before row 0 the sums are nothing yet. */
TM_KERNEL void tm_add_rows(struct tm_in in, int32_t y0, int32_t y1, int32_t width, int32_t channels,
                           int32_t bytes, int32_t *sums)
{
    if (y0 == 0)
        memset(sums, 0, 4u * (uint32_t)channels);
    for (int32_t y = y0; y < y1; y++) {
        const void *row = tm_in_row(in, y);
        for (int32_t c = 0; c < channels; c++) {
            int32_t sum = sums[c];
            for (int32_t x = 0; x < width; x++)
                sum += tm_value(row, x * channels + c, bytes);
            sums[c] = sum;
        }
    }
}

#endif
