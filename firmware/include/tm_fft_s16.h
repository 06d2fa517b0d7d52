/* The fast Fourier transform of int16 values, Q0.15, products rounded to nearest. */
#ifndef TM_FFT_S16_H
#define TM_FFT_S16_H

#define TM_FFT(name) tm_fft_s16_##name
#define TM_FFT_REAL int16_t
#define TM_FFT_ADD(a, b) (int16_t)((a) + (b))
#define TM_FFT_SUB(a, b) (int16_t)((a) - (b))
#define TM_FFT_NEGATE(a) (int16_t)(-(a))
#define TM_FFT_HALF(a) (int16_t)((a) >> 1)
#define TM_FFT_HALF_ADD(a, b) (int16_t)(((a) + (b)) >> 1)
#define TM_FFT_HALF_SUB(a, b) (int16_t)(((a) - (b)) >> 1)
#define TM_FFT_MUL(a, b) (int16_t)(((a) * (b) + (1 << 14)) >> 15)
#define TM_FFT_MUL_SUB(a, b, c, d) (int16_t)(((a) * (b) - (c) * (d) + (1 << 14)) >> 15)
#define TM_FFT_MUL_ADD(a, b, c, d) (int16_t)(((a) * (b) + (c) * (d) + (1 << 14)) >> 15)
#define TM_FFT_DIV(a, n) (int16_t)(((a) * (32767 / (n)) + (1 << 14)) >> 15)

#include "tm_fft.h"

#endif
