/* tm_requantize_split against tm_rescale, which is the definition: random values, and values next
 * to the halves between two outputs. Prints how many differ. */
#include <stdio.h>

#include "tm_split.h"

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 20) % below;
}

static int64_t differs(int64_t x, int32_t m, int32_t n, int32_t zero)
{
    if (x <= -(1 << 28) || x >= 1 << 28)
        return 0;
    const int32_t add = (1 << (n - 1)) + zero * (1 << n) + (1 << 14);
    const int32_t want = tm_rescale((int32_t)x, m, -n) + zero;
    return want != tm_requantize_split((int32_t)x, m, add, n);
}

int main(void)
{
    static const int32_t edges[] = {0, 1 << 30, (1 << 30) + 1, INT32_MAX - 1, INT32_MAX};
    int64_t wrong = 0;
    for (int32_t i = 0; i < 2000000; i++) {
        const int32_t n = 1 + (int32_t)draw(20), zero = (int32_t)draw(256) - 128;
        const int32_t m = draw(8) ? (1 << 30) + (int32_t)draw(1 << 30) : edges[draw(5)];
        const uint32_t bits = 2 + draw(28);
        wrong += differs((int64_t)draw(1u << bits) - (1 << (bits - 1)), m, n, zero);
        const double half = ((int32_t)draw(800) - 400 + 0.5) * (double)(1ll << (31 + n));
        for (int64_t near = -2; m && near <= 2; near++)
            wrong += differs((int64_t)(half / m) + near, m, n, zero);
    }
    printf("%lld\n", (long long)wrong);
    return 0;
}
