/* Hardware registers: access, fields, and waits that end. */
#ifndef TM_REGISTER_H
#define TM_REGISTER_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

#ifndef TM_TRIES_DIVISOR
#define TM_TRIES_DIVISOR 1u /* more where a chip is simulated, so that a test need not wait */
#endif

/* 1 once the bits of `mask` have `value`, 0 after `tries` looks of five or more cycles each. */
static inline int tm_wait(volatile uint32_t *reg, uint32_t mask, uint32_t value, uint32_t tries)
{
    for (tries /= TM_TRIES_DIVISOR; tries > 0; tries--) {
        if ((*reg & mask) == value) {
            return 1;
        }
    }
    return 0;
}

/* The value of the field that `mask` covers. */
static inline uint32_t tm_field(uint32_t word, uint32_t mask)
{
    return (word & mask) >> __builtin_ctz(mask);
}

/* The quotient, to the nearest integer. */
static inline uint32_t tm_rounded(uint32_t dividend, uint32_t divisor)
{
    return (dividend + divisor / 2u) / divisor;
}

#endif
