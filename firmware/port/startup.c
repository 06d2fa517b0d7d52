/* Reset, faults, stack and arena watch for every Cortex-M; the symbols are the linker script's. */
#include <stdint.h>

#include "board.h"
#include "tm_arm.h"
#include "tm_port.h"

#define SYSTEM_EXCEPTIONS 15
#define LEAST_LINE_SHIFT 4u /* log2 of the bytes of a cache line of 4 words */
#define STACK_PAINT 0x5AC35AC3u
#define GUARD_BYTE(i) ((uint8_t)(0xA5u ^ ((i) * 29u)))
#define FRAME_PC 6u /* r0-r3, r12, lr, pc, xpsr */

extern uint32_t __stack_bottom[], __stack_top[];
extern uint32_t __data_load[], __data_start[], __data_end[];
extern uint32_t __bss_start[], __bss_end[];
extern uint32_t __arena_guard_low[], __arena_start[], __arena_clear_end[];
extern uint8_t __arena_end[], __arena_guard_high_end[];
extern void (*const __init_array_start[])(void);
extern void (*const __init_array_end[])(void);

int main(void);
void Reset_Handler(void);
void Fault_Handler(void);
void tm_fault(uint32_t number, uint32_t pc);
void tm_fault_report(const uint32_t *frame, uint32_t number);

void SVC_Handler(void) __attribute__((weak, alias("Fault_Handler")));
void PendSV_Handler(void) __attribute__((weak, alias("Fault_Handler")));
void SysTick_Handler(void) __attribute__((weak, alias("Fault_Handler")));

struct vectors {
    uint32_t *stack;
    void (*handlers[SYSTEM_EXCEPTIONS])(void);
};

/* No device interrupt is ever enabled, so the table ends with the system exceptions. */
__attribute__((section(".vectors"), used)) const struct vectors tm_vectors = {
    __stack_top,
    {Reset_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler,
     Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, SVC_Handler, Fault_Handler,
     Fault_Handler, PendSV_Handler, SysTick_Handler},
};

/* An application may define it to report: `number` is the exception (3 HardFault, 4 MemManage,
 * 5 BusFault, 6 UsageFault), `pc` the faulting instruction or 0 where the stack was lost. */
__attribute__((weak)) void tm_fault(uint32_t number, uint32_t pc)
{
    (void)number;
    (void)pc;
}

#ifdef TM_CONSOLE_IRQ
__attribute__((weak)) void tm_console_wait(void)
{
}
#endif

__attribute__((used)) void tm_fault_report(const uint32_t *frame, uint32_t number)
{
    uint32_t pc = frame ? frame[FRAME_PC] : 0;
#if __ARM_ARCH_ISA_THUMB == 2
    if (CFSR & (CFSR_MSTKERR | CFSR_STKERR | CFSR_STKOF)) {
        pc = 0; /* the frame was not written */
    }
#endif
    tm_fault(number, pc);
    tm_exit(1);
}

/* The stack may be what failed: without 512 bytes left, reporting starts again at its top.
 * The frame lies near the bottom then, out of the way; outside the stack it is not read. */
__attribute__((naked)) void Fault_Handler(void)
{
    __asm volatile(
        ".syntax unified        \n"
        "mrs r0, msp            \n"
        "ldr r1, =__stack_bottom\n"
        "ldr r2, =__stack_top   \n"
        "subs r3, r0, r1        \n"
        "subs r1, r2, r1        \n"
        "cmp r3, r1             \n"
        "blo 1f                 \n"
        "movs r0, #0            \n"
        "mov sp, r2             \n"
        "b 2f                   \n"
        "1: movs r1, #1         \n"
        "lsls r1, r1, #9        \n"
        "cmp r3, r1             \n"
        "bhs 2f                 \n"
        "mov sp, r2             \n"
        "2: mrs r1, ipsr        \n"
        "ldr r3, =tm_fault_report\n"
        "bx r3                  \n"
        ".ltorg                 \n");
}

#if TM_CACHES
/* Drops every line of the level 1 data cache, of which nothing was written yet. A set/way operand
 * holds the way in its highest bits and the set above the bits of the line (Armv7-M, B2.2.7). */
static void forget_data_cache(void)
{
    CSSELR = CSSELR_LEVEL_1_DATA;
    __asm volatile("dsb" ::: "memory");
    uint32_t line_shift = tm_field(CCSIDR, CCSIDR_LINESIZE) + LEAST_LINE_SHIFT;
    uint32_t last_way = tm_field(CCSIDR, CCSIDR_ASSOCIATIVITY);
    uint32_t last_set = tm_field(CCSIDR, CCSIDR_NUMSETS);
    uint32_t way_shift = last_way == 0 ? 0 : (uint32_t)__builtin_clz(last_way);
    for (uint32_t set = 0; set <= last_set; set++) {
        for (uint32_t way = 0; way <= last_way; way++) {
            DCISW = way << way_shift | set << line_shift;
        }
    }
    __asm volatile("dsb" ::: "memory");
}

/* Those that this core has: caches are an option of Cortex-M7 and M55. */
static void enable_caches(void)
{
    uint32_t caches = CLIDR;
    uint32_t enabled = CCR; /* by a boot ROM, perhaps */
    if ((caches & CLIDR_CTYPE1_INSTRUCTION) && !(enabled & CCR_IC)) {
        ICIALLU = 0;
        __asm volatile("dsb\n isb" ::: "memory");
        CCR |= CCR_IC;
    }
    if ((caches & CLIDR_CTYPE1_DATA) && !(enabled & CCR_DC)) {
        forget_data_cache();
        CCR |= CCR_DC;
    }
    __asm volatile("dsb\n isb" ::: "memory");
}
#endif

static void enable_core(void)
{
#if __ARM_ARCH_ISA_THUMB == 2
    VTOR = (uint32_t)(uintptr_t)&tm_vectors;
    SHCSR |= SHCSR_MEMFAULTENA | SHCSR_BUSFAULTENA | SHCSR_USGFAULTENA;
#endif
#if TM_CACHES
    enable_caches();
#endif
#if __ARM_ARCH >= 8 && __ARM_ARCH_ISA_THUMB == 2
    __asm volatile("msr msplim, %0" ::"r"(__stack_bottom));
#endif
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= CPACR_CP10 | CPACR_CP11; /* FPU and MVE */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
}

/* Everything below the stack pointer; volatile, so that it does not become a call. */
static inline __attribute__((always_inline)) void paint_stack(void)
{
    volatile uint32_t *end;
    __asm volatile("mov %0, sp" : "=r"(end));
    for (volatile uint32_t *word = __stack_bottom; word < end; word++) {
        *word = STACK_PAINT;
    }
}

static __attribute__((noinline)) void clear(uint32_t *word, const uint32_t *end)
{
    while (word < end) {
        *word++ = 0;
    }
}

static __attribute__((noinline)) void fill_guard(uint8_t *guard, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        guard[i] = GUARD_BYTE(i);
    }
}

static __attribute__((noinline)) int guard_holds(const uint8_t *guard, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (guard[i] != GUARD_BYTE(i)) {
            return 0;
        }
    }
    return 1;
}

static uint32_t bytes_between(const void *start, const void *end)
{
    return (uint32_t)((uintptr_t)end - (uintptr_t)start);
}

__attribute__((noreturn, used)) void Reset_Handler(void)
{
    enable_core();
    paint_stack();
    const uint32_t *load = __data_load;
    for (uint32_t *word = __data_start; word < __data_end; word++) {
        *word = *load++;
    }
    clear(__bss_start, __bss_end);
    clear(__arena_start, __arena_clear_end);
    fill_guard((uint8_t *)__arena_guard_low, bytes_between(__arena_guard_low, __arena_start));
    fill_guard(__arena_end, bytes_between(__arena_end, __arena_guard_high_end));
    for (void (*const *start)(void) = __init_array_start; start < __init_array_end; start++) {
        (*start)();
    }
    tm_exit(main());
    for (;;) {
    }
}

uint32_t tm_stack_size(void)
{
    return bytes_between(__stack_bottom, __stack_top);
}

uint32_t tm_stack_peak(void)
{
    const volatile uint32_t *word = __stack_bottom;
    while (word < __stack_top && *word == STACK_PAINT) {
        word++;
    }
    return bytes_between((const void *)word, __stack_top);
}

int tm_arena_intact(void)
{
    return guard_holds((uint8_t *)__arena_guard_low,
                       bytes_between(__arena_guard_low, __arena_start)) &&
           guard_holds(__arena_end, bytes_between(__arena_end, __arena_guard_high_end));
}

/* The same image runs on silicon and in the emulator, so no semihosting: the host ends QEMU. */
void tm_exit(int code)
{
    (void)code;
    __asm volatile("cpsid i" ::: "memory");
    SYST_CSR = 0;
    for (;;) {
        __asm volatile("wfi");
    }
}
