/* The fast Fourier transform of TFLite-Micro's signal operators, for one type of values: include it
 * behind definitions of TM_FFT(name), which gives names of this type, TM_FFT_REAL, and
 *   TM_FFT_ADD, _SUB (a, b)       wrapping
 *   TM_FFT_NEGATE(a)              wrapping
 *   TM_FFT_HALF(a), _HALF_ADD, _HALF_SUB (a, b)  half of it, rounded down
 *   TM_FFT_MUL(a, b)              rounded
 *   TM_FFT_MUL_SUB, _MUL_ADD (a, b, c, d)  a * b - c * d, a * b + c * d, rounded once
 *   TM_FFT_DIV(a, n)              a / n, so that n terms fit; a itself in float32
 * It defines TM_FFT(...) functions and undefines all these names.
 *
 * Decimation in time over factors 4, 2, 3, 5, in place: values are loaded in the order that the
 * stages want, from the last factor to the first. Every product and sum is rounded where KISS FFT
 * rounds it, so that results are the same to the bit. */
#include "tm_kernel.h"

struct TM_FFT(complex) {
    TM_FFT_REAL r, i;
};

/* `radices` has bit p set where p is a factor: code for others is left out. */
struct TM_FFT(plan) {
    int32_t count, stages, radices, inverse;
    const uint8_t *factors;
    const TM_FFT_REAL *twiddles; /* complex, `count` of them */
};

/* Which input value comes next in the order of the stages. */
struct TM_FFT(order) {
    int32_t at;
    uint8_t digits[16];
};

TM_KERNEL void TM_FFT(next)(const struct TM_FFT(plan) *p, struct TM_FFT(order) *order)
{
    int32_t stride = p->count;
    for (int32_t s = p->stages - 1; s >= 0; s--) {
        const int32_t radix = p->factors[s];
        stride /= radix;
        order->at += stride;
        if (++order->digits[s] < radix)
            return;
        order->digits[s] = 0;
        order->at -= stride * radix;
    }
}

TM_KERNEL struct TM_FFT(complex) TM_FFT(add)(struct TM_FFT(complex) a, struct TM_FFT(complex) b)
{
    return (struct TM_FFT(complex)){TM_FFT_ADD(a.r, b.r), TM_FFT_ADD(a.i, b.i)};
}

TM_KERNEL struct TM_FFT(complex) TM_FFT(sub)(struct TM_FFT(complex) a, struct TM_FFT(complex) b)
{
    return (struct TM_FFT(complex)){TM_FFT_SUB(a.r, b.r), TM_FFT_SUB(a.i, b.i)};
}

TM_KERNEL struct TM_FFT(complex) TM_FFT(mul)(struct TM_FFT(complex) a, struct TM_FFT(complex) b)
{
    return (struct TM_FFT(complex)){TM_FFT_MUL_SUB(a.r, b.r, a.i, b.i),
                                    TM_FFT_MUL_ADD(a.r, b.i, a.i, b.r)};
}

TM_KERNEL struct TM_FFT(complex) TM_FFT(div)(struct TM_FFT(complex) a, int32_t n)
{
    return (struct TM_FFT(complex)){TM_FFT_DIV(a.r, n), TM_FFT_DIV(a.i, n)};
}

/* a - i * b and a + i * b. */
TM_KERNEL struct TM_FFT(complex) TM_FFT(clockwise)(struct TM_FFT(complex) a,
                                                   struct TM_FFT(complex) b)
{
    return (struct TM_FFT(complex)){TM_FFT_ADD(a.r, b.i), TM_FFT_SUB(a.i, b.r)};
}

TM_KERNEL struct TM_FFT(complex) TM_FFT(anticlockwise)(struct TM_FFT(complex) a,
                                                       struct TM_FFT(complex) b)
{
    return (struct TM_FFT(complex)){TM_FFT_SUB(a.r, b.i), TM_FFT_ADD(a.i, b.r)};
}

TM_KERNEL struct TM_FFT(complex) TM_FFT(twiddle)(const struct TM_FFT(plan) *p, int32_t k)
{
    return (struct TM_FFT(complex)){p->twiddles[2 * k], p->twiddles[2 * k + 1]};
}

/* Value q of a butterfly: scaled down, and turned by its twiddle. */
TM_KERNEL struct TM_FFT(complex) TM_FFT(turned)(const struct TM_FFT(plan) *p,
                                                const struct TM_FFT(complex) *x, int32_t radix,
                                                int32_t k)
{
    return TM_FFT(mul)(TM_FFT(div)(*x, radix), TM_FFT(twiddle)(p, k));
}

TM_KERNEL void TM_FFT(radix2)(const struct TM_FFT(plan) *p, struct TM_FFT(complex) *x, int32_t m,
                              int32_t k)
{
    const struct TM_FFT(complex) a = TM_FFT(div)(x[0], 2), b = TM_FFT(turned)(p, x + m, 2, k);
    x[0] = TM_FFT(add)(a, b);
    x[m] = TM_FFT(sub)(a, b);
}

TM_KERNEL void TM_FFT(radix3)(const struct TM_FFT(plan) *p, struct TM_FFT(complex) *x, int32_t m,
                              int32_t k)
{
    const struct TM_FFT(complex) third = TM_FFT(twiddle)(p, p->count / 3);
    const struct TM_FFT(complex) a = TM_FFT(div)(x[0], 3), b = TM_FFT(turned)(p, x + m, 3, k);
    const struct TM_FFT(complex) c = TM_FFT(turned)(p, x + 2 * m, 3, 2 * k);
    const struct TM_FFT(complex) sum = TM_FFT(add)(b, c), apart = TM_FFT(sub)(b, c);
    const struct TM_FFT(complex) half = {TM_FFT_SUB(a.r, TM_FFT_HALF(sum.r)),
                                         TM_FFT_SUB(a.i, TM_FFT_HALF(sum.i))};
    const struct TM_FFT(complex) side = {TM_FFT_MUL(apart.r, third.i),
                                         TM_FFT_MUL(apart.i, third.i)};
    x[0] = TM_FFT(add)(a, sum);
    x[m] = TM_FFT(anticlockwise)(half, side);
    x[2 * m] = TM_FFT(clockwise)(half, side);
}

TM_KERNEL void TM_FFT(radix4)(const struct TM_FFT(plan) *p, struct TM_FFT(complex) *x, int32_t m,
                              int32_t k)
{
    const struct TM_FFT(complex) a = TM_FFT(div)(x[0], 4), b = TM_FFT(turned)(p, x + m, 4, k);
    const struct TM_FFT(complex) c = TM_FFT(turned)(p, x + 2 * m, 4, 2 * k);
    const struct TM_FFT(complex) d = TM_FFT(turned)(p, x + 3 * m, 4, 3 * k);
    const struct TM_FFT(complex) ac = TM_FFT(sub)(a, c), bd = TM_FFT(sub)(b, d);
    const struct TM_FFT(complex) sum = TM_FFT(add)(a, c), other = TM_FFT(add)(b, d);
    x[0] = TM_FFT(add)(sum, other);
    x[2 * m] = TM_FFT(sub)(sum, other);
    x[m] = p->inverse ? TM_FFT(anticlockwise)(ac, bd) : TM_FFT(clockwise)(ac, bd);
    x[3 * m] = p->inverse ? TM_FFT(clockwise)(ac, bd) : TM_FFT(anticlockwise)(ac, bd);
}

/* a + near * y.r + far * z.r, by parts. */
TM_KERNEL struct TM_FFT(complex)
    TM_FFT(weighed)(struct TM_FFT(complex) a, struct TM_FFT(complex) near, TM_FFT_REAL y,
                    struct TM_FFT(complex) far, TM_FFT_REAL z)
{
    return (struct TM_FFT(complex)){
        TM_FFT_ADD(TM_FFT_ADD(a.r, TM_FFT_MUL(near.r, y)), TM_FFT_MUL(far.r, z)),
        TM_FFT_ADD(TM_FFT_ADD(a.i, TM_FFT_MUL(near.i, y)), TM_FFT_MUL(far.i, z))};
}

TM_KERNEL void TM_FFT(radix5)(const struct TM_FFT(plan) *p, struct TM_FFT(complex) *x, int32_t m,
                              int32_t k)
{
    const struct TM_FFT(complex) y = TM_FFT(twiddle)(p, p->count / 5);
    const struct TM_FFT(complex) z = TM_FFT(twiddle)(p, p->count / 5 * 2);
    const struct TM_FFT(complex) a = TM_FFT(div)(x[0], 5), b = TM_FFT(turned)(p, x + m, 5, k);
    const struct TM_FFT(complex) c = TM_FFT(turned)(p, x + 2 * m, 5, 2 * k);
    const struct TM_FFT(complex) d = TM_FFT(turned)(p, x + 3 * m, 5, 3 * k);
    const struct TM_FFT(complex) e = TM_FFT(turned)(p, x + 4 * m, 5, 4 * k);
    const struct TM_FFT(complex) outer = TM_FFT(add)(b, e), outer_apart = TM_FFT(sub)(b, e);
    const struct TM_FFT(complex) inner = TM_FFT(add)(c, d), inner_apart = TM_FFT(sub)(c, d);
    const struct TM_FFT(complex) first = TM_FFT(weighed)(a, outer, y.r, inner, z.r);
    const struct TM_FFT(complex) second = TM_FFT(weighed)(a, outer, z.r, inner, y.r);
    const struct TM_FFT(complex) first_side = {
        TM_FFT_ADD(TM_FFT_MUL(outer_apart.r, y.i), TM_FFT_MUL(inner_apart.r, z.i)),
        TM_FFT_ADD(TM_FFT_MUL(outer_apart.i, y.i), TM_FFT_MUL(inner_apart.i, z.i))};
    const struct TM_FFT(complex) second_side = {
        TM_FFT_SUB(TM_FFT_MUL(outer_apart.r, z.i), TM_FFT_MUL(inner_apart.r, y.i)),
        TM_FFT_SUB(TM_FFT_MUL(outer_apart.i, z.i), TM_FFT_MUL(inner_apart.i, y.i))};
    x[0] = TM_FFT(add)(a, TM_FFT(add)(outer, inner));
    x[m] = TM_FFT(anticlockwise)(first, first_side);
    x[4 * m] = TM_FFT(clockwise)(first, first_side);
    x[2 * m] = TM_FFT(anticlockwise)(second, second_side);
    x[3 * m] = TM_FFT(clockwise)(second, second_side);
}

/* All stages, of values in the order of TM_FFT(next). */
TM_KERNEL void TM_FFT(stages)(const struct TM_FFT(plan) *p, struct TM_FFT(complex) *x)
{
    int32_t m = 1;
    for (int32_t s = p->stages - 1; s >= 0; s--) {
        const int32_t radix = p->factors[s], step = p->count / (m * radix);
        for (int32_t block = 0; block < p->count; block += m * radix)
            for (int32_t k = 0; k < m; k++) {
                if (p->radices & 1 << 4 && radix == 4)
                    TM_FFT(radix4)(p, x + block + k, m, k * step);
                else if (p->radices & 1 << 2 && radix == 2)
                    TM_FFT(radix2)(p, x + block + k, m, k * step);
                else if (p->radices & 1 << 3 && radix == 3)
                    TM_FFT(radix3)(p, x + block + k, m, k * step);
                else if (p->radices & 1 << 5)
                    TM_FFT(radix5)(p, x + block + k, m, k * step);
            }
        m *= radix;
    }
}

/* The spectrum of 2 * count real values, zeros behind the first `size`: count + 1 complex values.
 * `halves` are the twiddles of the double length, from the second on. */
TM_KERNEL void TM_FFT(forward)(const struct TM_FFT(plan) *p, const TM_FFT_REAL *halves,
                               const TM_FFT_REAL *in, int32_t size, TM_FFT_REAL *out)
{
    struct TM_FFT(complex) *x = (struct TM_FFT(complex) *)out;
    struct TM_FFT(order) order = {0};
    const int32_t n = p->count;
    for (int32_t j = 0; j < n; j++, TM_FFT(next)(p, &order)) {
        const int32_t at = 2 * order.at;
        x[j].r = at < size ? in[at] : 0;
        x[j].i = at + 1 < size ? in[at + 1] : 0;
    }
    TM_FFT(stages)(p, x);
    const struct TM_FFT(complex) mean = TM_FFT(div)(x[0], 2);
    x[0] = (struct TM_FFT(complex)){TM_FFT_ADD(mean.r, mean.i), 0};
    x[n] = (struct TM_FFT(complex)){TM_FFT_SUB(mean.r, mean.i), 0};
    for (int32_t k = 1; k <= n / 2; k++) {
        const struct TM_FFT(complex) back = {x[n - k].r, TM_FFT_NEGATE(x[n - k].i)};
        const struct TM_FFT(complex) a = TM_FFT(div)(x[k], 2), b = TM_FFT(div)(back, 2);
        const struct TM_FFT(complex) half = {halves[2 * k - 2], halves[2 * k - 1]};
        const struct TM_FFT(complex) even = TM_FFT(add)(a, b);
        const struct TM_FFT(complex) odd = TM_FFT(mul)(TM_FFT(sub)(a, b), half);
        x[k].r = TM_FFT_HALF_ADD(even.r, odd.r);
        x[k].i = TM_FFT_HALF_ADD(even.i, odd.i);
        x[n - k].r = TM_FFT_HALF_SUB(even.r, odd.r);
        x[n - k].i = TM_FFT_HALF_SUB(odd.i, even.i);
    }
}

/* Value `at` of the complex signal whose transform is the real one of a spectrum. */
TM_KERNEL struct TM_FFT(complex) TM_FFT(packed)(const struct TM_FFT(plan) *p,
                                                const TM_FFT_REAL *halves,
                                                const struct TM_FFT(complex) *in, int32_t at)
{
    const int32_t n = p->count, k = tm_min(at, n - at);
    if (at == 0) {
        const struct TM_FFT(complex) ends = {TM_FFT_ADD(in[0].r, in[n].r),
                                             TM_FFT_SUB(in[0].r, in[n].r)};
        return TM_FFT(div)(ends, 2);
    }
    const struct TM_FFT(complex) back = {in[n - k].r, TM_FFT_NEGATE(in[n - k].i)};
    const struct TM_FFT(complex) a = TM_FFT(div)(in[k], 2), b = TM_FFT(div)(back, 2);
    const struct TM_FFT(complex) half = {halves[2 * k - 2], halves[2 * k - 1]};
    const struct TM_FFT(complex) even = TM_FFT(add)(a, b);
    const struct TM_FFT(complex) odd = TM_FFT(mul)(TM_FFT(sub)(a, b), half);
    if (2 * at < n)
        return TM_FFT(add)(even, odd);
    const struct TM_FFT(complex) apart = TM_FFT(sub)(even, odd);
    return (struct TM_FFT(complex)){apart.r, TM_FFT_NEGATE(apart.i)};
}

/* The 2 * count real values that a spectrum of count + 1 complex ones comes from. */
TM_KERNEL void TM_FFT(backward)(const struct TM_FFT(plan) *p, const TM_FFT_REAL *halves,
                                const TM_FFT_REAL *in, TM_FFT_REAL *out)
{
    struct TM_FFT(complex) *x = (struct TM_FFT(complex) *)out;
    struct TM_FFT(order) order = {0};
    for (int32_t j = 0; j < p->count; j++, TM_FFT(next)(p, &order))
        x[j] = TM_FFT(packed)(p, halves, (const struct TM_FFT(complex) *)in, order.at);
    TM_FFT(stages)(p, x);
}

#undef TM_FFT
#undef TM_FFT_REAL
#undef TM_FFT_ADD
#undef TM_FFT_SUB
#undef TM_FFT_NEGATE
#undef TM_FFT_HALF
#undef TM_FFT_HALF_ADD
#undef TM_FFT_HALF_SUB
#undef TM_FFT_MUL
#undef TM_FFT_MUL_SUB
#undef TM_FFT_MUL_ADD
#undef TM_FFT_DIV
