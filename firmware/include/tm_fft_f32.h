/* The fast Fourier transform of float32 values. */
#ifndef TM_FFT_F32_H
#define TM_FFT_F32_H

#define TM_FFT(name) tm_fft_f32_##name
#define TM_FFT_REAL float
#define TM_FFT_ADD(a, b) ((a) + (b))
#define TM_FFT_SUB(a, b) ((a) - (b))
#define TM_FFT_NEGATE(a) (-(a))
#define TM_FFT_HALF(a) ((a) * 0.5f)
#define TM_FFT_HALF_ADD(a, b) (((a) + (b)) * 0.5f)
#define TM_FFT_HALF_SUB(a, b) (((a) - (b)) * 0.5f)
#define TM_FFT_MUL(a, b) ((a) * (b))
#define TM_FFT_MUL_SUB(a, b, c, d) ((a) * (b) - (c) * (d))
#define TM_FFT_MUL_ADD(a, b, c, d) ((a) * (b) + (c) * (d))
#define TM_FFT_DIV(a, n) ((void)(n), (a))

#include "tm_fft.h"

#endif
