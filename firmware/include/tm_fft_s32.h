/* The fast Fourier transform of int32 values, Q0.31, products rounded to nearest. */
#ifndef TM_FFT_S32_H
#define TM_FFT_S32_H

#define TM_FFT(name) tm_fft_s32_##name
#define TM_FFT_REAL int32_t
#define TM_FFT_ADD(a, b) (int32_t)((uint32_t)(a) + (uint32_t)(b))
#define TM_FFT_SUB(a, b) (int32_t)((uint32_t)(a) - (uint32_t)(b))
#define TM_FFT_NEGATE(a) (int32_t)(0u - (uint32_t)(a))
#define TM_FFT_HALF(a) ((a) >> 1)
#define TM_FFT_HALF_ADD(a, b) (TM_FFT_ADD(a, b) >> 1)
#define TM_FFT_HALF_SUB(a, b) (TM_FFT_SUB(a, b) >> 1)
#define TM_FFT_MUL(a, b) (int32_t)(((int64_t)(a) * (b) + (1ll << 30)) >> 31)
#define TM_FFT_MUL_SUB(a, b, c, d) \
    (int32_t)(((int64_t)(a) * (b) - (int64_t)(c) * (d) + (1ll << 30)) >> 31)
#define TM_FFT_MUL_ADD(a, b, c, d) \
    (int32_t)(((int64_t)(a) * (b) + (int64_t)(c) * (d) + (1ll << 30)) >> 31)
#define TM_FFT_DIV(a, n) (int32_t)(((int64_t)(a) * (INT32_MAX / (n)) + (1ll << 30)) >> 31)

#include "tm_fft.h"

#endif
