/* Requantisation from 16-bit halves, for cores without a long multiplication (Cortex-M0). */
#ifndef TM_SPLIT_H
#define TM_SPLIT_H

#include "tm_kernel.h"

/* tm_rescale(x, m, -n) + zero_point before it is clamped, for n of 1 to 20 and |x| < 2^28;
 * add: 2^(n-1) + (zero_point << n) + 2^14. The upper word of 2 * x * m + 2^31 is what the doubling
 * high multiplication gives; adding the sign sends halves away from zero. The bits below 2^16 of
 * the product cannot carry; the middle is kept within 32 bits by 2^30, which is 2^14 above. */
static inline int32_t tm_requantize_split(int32_t x, int32_t m, int32_t add, int32_t n)
{
    const int32_t high = x * 2 >> 16, m_high = m >> 16, m_low = m & 0xFFFF;
    const uint32_t low = (uint32_t)x * 2 & 0xFFFF;
    const uint32_t middle = low * (uint32_t)m_high + (low * (uint32_t)m_low >> 16);
    const int32_t near = (int32_t)(middle - (1u << 30) + (1u << 15)) + high * m_low;
    return (high * m_high + (near >> 16) + (x >> 31) + add) >> n;
}

#endif
