/* A 64-bit cycle counter: DWT CYCCNT where it is seen to count, else SysTick.
 *
 * SysTick reloads every 2^24 cycles and its interrupt widens either counter, so time is never
 * lost, however rarely it is read. The cost is one interrupt of about 50 cycles per 16.8 million
 * cycles (3 parts per million); a measurement below 2^24 cycles sees at most one.
 */
#include <stdint.h>

#include "tm_arm.h"
#include "tm_port.h"

#define ZERO_TRIES 1000u  /* reads of a counter that shows 0 */
#define STILL_TRIES 1000u /* reads of one that does not move */
#define DWT_NOPS 8u
#define HIGH_WORD 32u

enum counter { COUNTER_NONE, COUNTER_SYSTICK, COUNTER_DWT };

static enum counter counter;
static uint32_t counter_hz;
static volatile uint32_t wraps;  /* high word of CYCCNT, or SysTick periods */
static volatile uint32_t latest; /* CYCCNT when last looked at */

void SysTick_Handler(void);

static uint32_t lock(void)
{
    uint32_t primask;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(primask)::"memory");
    return primask;
}

static void unlock(uint32_t primask)
{
    __asm volatile("msr primask, %0" ::"r"(primask) : "memory");
}

static uint32_t read_dwt(void)
{
#if __ARM_ARCH_ISA_THUMB == 2
    return DWT_CYCCNT;
#else
    return 0;
#endif
}

/* With interrupts off, or in one. */
static uint64_t widen_dwt(void)
{
    uint32_t now = read_dwt();
    if (now < latest) {
        wraps = wraps + 1;
    }
    latest = now;
    return (uint64_t)wraps << HIGH_WORD | now;
}

/* SysTick shows 0 for one clock, when it becomes pending and before it reloads. An emulator may
 * raise the interrupt a little later, so a 0 is read again: it is neither before nor after. */
static uint32_t read_systick(void)
{
    uint32_t value = 0;
    for (uint32_t tries = 0; tries < ZERO_TRIES && value == 0; tries++) {
        value = SYST_CVR & SYST_CVR_CURRENT;
    }
    return value;
}

/* With interrupts off: a wrap that is still pending is counted here. */
static uint64_t widen_systick(void)
{
    uint32_t value = read_systick();
    uint64_t periods = wraps;
    if (ICSR & ICSR_PENDSTSET) {
        value = read_systick(); /* the first value may be from before the wrap */
        periods++;
    }
    return periods << SYST_BITS | (-value & SYST_CVR_CURRENT);
}

void SysTick_Handler(void)
{
    if (counter == COUNTER_DWT) {
        widen_dwt();
    } else {
        wraps = wraps + 1;
    }
}

static int dwt_counts(void)
{
#if __ARM_ARCH_ISA_THUMB == 2
    DEMCR |= DEMCR_TRCENA;
#if __ARM_ARCH == 7
    DWT_LAR = DWT_LAR_KEY;
#endif
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
    uint32_t first = DWT_CYCCNT;
    for (uint32_t i = 0; i < DWT_NOPS; i++) {
        __asm volatile("nop");
    }
    return DWT_CYCCNT != first;
#else
    return 0;
#endif
}

static int systick_counts(void)
{
    uint32_t first = read_systick();
    for (uint32_t i = 0; i < STILL_TRIES; i++) {
        if (read_systick() != first) {
            return 1;
        }
    }
    return 0;
}

void tm_counter_init(uint32_t clock_hz)
{
    SYST_CSR = 0;
    counter = COUNTER_NONE;
    counter_hz = clock_hz;
    wraps = 0;
    latest = 0;
    SYST_RVR = SYST_RVR_RELOAD;
    SYST_CVR = 0;
    if (dwt_counts()) {
        counter = COUNTER_DWT;
    }
    SYST_CSR = SYST_CSR_ENABLE | SYST_CSR_TICKINT | SYST_CSR_CLKSOURCE;
    if (counter == COUNTER_NONE && systick_counts()) {
        counter = COUNTER_SYSTICK;
    }
}

uint64_t tm_counter_read(void)
{
    uint32_t primask = lock();
    uint64_t now = 0;
    if (counter == COUNTER_DWT) {
        now = widen_dwt();
    } else if (counter == COUNTER_SYSTICK) {
        now = widen_systick();
    }
    unlock(primask);
    return now;
}

const char *tm_counter_name(void)
{
    switch (counter) {
        case COUNTER_DWT:
            return "dwt";
        case COUNTER_SYSTICK:
            return "systick";
        default:
            return "none"; /* e.g. nRF51 silicon, which has no SysTick */
    }
}

uint32_t tm_counter_hz(void)
{
    return counter_hz;
}

int tm_counter_goes_on_in_sleep(void)
{
    return counter != COUNTER_DWT;
}
