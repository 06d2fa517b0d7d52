/* memcpy() and memset() in a few bytes, in place of newlib's of 308 and 162 (Cortex-M4), where a
 * program is built for size. Words where both ends are aligned, else bytes. */
#include <stddef.h>
#include <stdint.h>

#define PLAIN __attribute__((used, optimize("no-tree-loop-distribute-patterns")))

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memset(void *to, int value, size_t count);

typedef uint32_t __attribute__((may_alias)) word;

PLAIN void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    if (((uintptr_t)target | (uintptr_t)source) % sizeof(word) == 0) {
        for (; count >= sizeof(word); count -= sizeof(word)) {
            *(word *)target = *(const word *)source;
            target += sizeof(word);
            source += sizeof(word);
        }
    }
    while (count-- > 0) {
        *target++ = *source++;
    }
    return to;
}

PLAIN void *memset(void *to, int value, size_t count)
{
    uint8_t *target = to;
    while (count-- > 0) {
        *target++ = (uint8_t)value;
    }
    return to;
}
