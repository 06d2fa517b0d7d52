/* The int16 sigmoid and tanh of TFLite-Micro: a table of 256 values, and lines in between.
 * sigmoid[i] is about 65536 / (1 + exp(-i / 24)) - 32768. */
#ifndef TM_SIGMOID_H
#define TM_SIGMOID_H

#include "tm_kernel.h"

TM_KERNEL int32_t tm_table(const int16_t *sigmoid, int32_t x, int32_t bits)
{
    const int32_t at = x >> bits, low = sigmoid[at] + 32768, high = sigmoid[at + 1] + 32768;
    return (low << bits) + (x & ((1 << bits) - 1)) * (high - low);
}

/* Of x, 3 * 2^12 for 1; the result has 2^15 for 1. */
TM_KERNEL int32_t tm_sigmoid(const int16_t *sigmoid, int32_t x)
{
    const int32_t size = x < 0 ? -x : x;
    const int32_t v = size >> 9 >= 255 ? 0x7fff << 10 : tm_table(sigmoid, size, 9);
    return (x >= 0 ? v + (1 << 9) : (1 << 25) - v + (1 << 9) - 1) >> 10;
}

/* Of x, 3 * 2^12 for 1; the result has 2^15 for 1: twice the sigmoid of twice x, less 1. */
TM_KERNEL int32_t tm_tanh(const int16_t *sigmoid, int32_t x)
{
    const int32_t size = x < 0 ? -x : x;
    const int32_t v = size >> 8 >= 255 ? 0xffff << 8 : tm_table(sigmoid, size, 8);
    return (x >= 0 ? v - (1 << 23) + (1 << 7) : -v + (1 << 23) + (1 << 7) - 1) >> 8;
}

#endif
