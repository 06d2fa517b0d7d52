/* Values of one type as another, row by row. Integers wrap; float32 is cut towards zero, into the
 * range of int32 (of int64 for int64 and uint32) before it wraps, and NaN becomes 0. */
#ifndef TM_KERNELS_CAST_H
#define TM_KERNELS_CAST_H

#include "tm_kernel.h"

/* Types are numbered by the bytes of one value, plus 16 where it has no sign, 32 for float32 and
 * 48 for truth values. */
struct cast {
    int32_t count; /* values of one row */
    int32_t from, to;
};

TM_KERNEL int64_t cast_integer(const void *in, int32_t i, int32_t type)
{
    switch (type) {
    case 1:
        return ((const int8_t *)in)[i];
    case 2:
        return ((const int16_t *)in)[i];
    case 4:
        return ((const int32_t *)in)[i];
    case 8:
        return ((const int64_t *)in)[i];
    case 20:
        return ((const uint32_t *)in)[i];
    default:
        return ((const uint8_t *)in)[i];
    }
}

TM_KERNEL int64_t cast_float(float v, int32_t to)
{
    if (v != v)
        return 0;
    if (to == 8 || to == 20)
        return v >= 0x1p63f ? INT64_MAX : v < -0x1p63f ? INT64_MIN : (int64_t)v;
    return v >= 0x1p31f ? INT32_MAX : v < -0x1p31f ? INT32_MIN : (int32_t)v;
}

TM_KERNEL void cast_store(void *out, int32_t i, int32_t type, int64_t v)
{
    switch (type) {
    case 2:
        ((int16_t *)out)[i] = (int16_t)v;
        break;
    case 4:
    case 20:
        ((int32_t *)out)[i] = (int32_t)v;
        break;
    case 8:
        ((int64_t *)out)[i] = v;
        break;
    default:
        ((int8_t *)out)[i] = (int8_t)v;
    }
}

TM_KERNEL void cast(const struct cast *p, int32_t y0, int32_t y1, struct tm_in in,
                    struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const void *a = tm_in_row(in, y);
        void *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            if (p->from == 36 && p->to == 36)
                ((float *)to)[i] = ((const float *)a)[i];
            else if (p->from == 36 && p->to == 49)
                ((uint8_t *)to)[i] = ((const float *)a)[i] != 0;
            else if (p->from == 36)
                cast_store(to, i, p->to, cast_float(((const float *)a)[i], p->to));
            else if (p->to == 36)
                ((float *)to)[i] = (float)cast_integer(a, i, p->from);
            else if (p->to == 49)
                ((uint8_t *)to)[i] = cast_integer(a, i, p->from) != 0;
            else
                cast_store(to, i, p->to, cast_integer(a, i, p->from));
        }
    }
}

#endif
