/* int4 weights, two in a byte, the first in its low half. */
#ifndef TM_INT4_H
#define TM_INT4_H

#include "tm_kernel.h"

static inline int32_t tm_int4_low(uint8_t pair)
{
    return (int8_t)(uint8_t)(pair << 4) >> 4;
}

static inline int32_t tm_int4_high(uint8_t pair)
{
    return (int8_t)pair >> 4;
}

/* Values [first, first + count) as bytes. */
static inline void tm_int4_unpack(const uint8_t *from, int32_t first, int32_t count, int8_t *to)
{
    const uint8_t *at = from + first / 2;
    if (count && first % 2) {
        *to++ = (int8_t)tm_int4_high(*at++);
        count--;
    }
    for (int32_t i = 0; i < count / 2; i++) {
        to[2 * i] = (int8_t)tm_int4_low(at[i]);
        to[2 * i + 1] = (int8_t)tm_int4_high(at[i]);
    }
    if (count % 2)
        to[count - 1] = (int8_t)tm_int4_low(at[count / 2]);
}

/* `count` pairs as low + 256 * high, in 16 bits each, the low byte first. */
static inline void tm_int4_unpack_pairs(const uint8_t *from, int32_t count, int8_t *to)
{
    for (int32_t i = 0; i < count; i++) {
        const int32_t low = tm_int4_low(from[i]);
        to[2 * i] = (int8_t)low;
        to[2 * i + 1] = (int8_t)(tm_int4_high(from[i]) - (low < 0));
    }
}

#endif
