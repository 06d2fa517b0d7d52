/* Hardware registers: access, and waits that end. */
#ifndef TM_REGISTER_H
#define TM_REGISTER_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* 1 once the bits of `mask` have `value`, 0 after `tries` looks of five or more cycles each. */
static inline int tm_wait(volatile uint32_t *reg, uint32_t mask, uint32_t value, uint32_t tries)
{
    while (tries-- > 0) {
        if ((*reg & mask) == value) {
            return 1;
        }
    }
    return 0;
}

#endif
