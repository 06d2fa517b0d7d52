/* Sleeping until the console has a byte, for soc/<family>.c of boards with TM_CONSOLE_IRQ. */
#ifndef TM_SLEEP_H
#define TM_SLEEP_H

#include <stdint.h>

#include "board.h"
#include "tm_arm.h"

#ifdef TM_CONSOLE_IRQ
#define TM_IRQ_WORD (TM_CONSOLE_IRQ / 32u)
#define TM_IRQ_BIT (1u << TM_CONSOLE_IRQ % 32u)

/* An emulated core that spins on the UART holds up the thread that would bring the next byte. The
 * interrupt wakes this one and is never taken: only here is it enabled, with interrupts off. A byte
 * that comes behind waiting() has made it pending, and the core does not fall asleep. */
static inline void tm_sleep_unless(int (*waiting)(void))
{
    __asm volatile("cpsid i" ::: "memory");
    (&NVIC_ICPR)[TM_IRQ_WORD] = TM_IRQ_BIT;
    (&NVIC_ISER)[TM_IRQ_WORD] = TM_IRQ_BIT;
    if (!waiting()) {
        __asm volatile("dsb\n wfi" ::: "memory");
    }
    (&NVIC_ICER)[TM_IRQ_WORD] = TM_IRQ_BIT;
    __asm volatile("dsb\n isb\n cpsie i" ::: "memory");
}
#endif

#endif
