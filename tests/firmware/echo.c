/* The port's test application: one-letter commands, one line of answer each. */
#include <stdint.h>
#include <string.h>

#include "board.h"
#include "tm_port.h"

#define ARENA_BYTES 1001 /* odd, so that the upper guard starts unaligned */

void tm_fault(uint32_t number, uint32_t pc);

static uint8_t arena[ARENA_BYTES] __attribute__((section(".bss.tm_arena"), aligned(16)));
static const uint8_t weights[] __attribute__((section(".rodata.tm_weights.first"), used)) = {
    1, 2, 3, 4, 5, 6, 7};
static volatile uint32_t initialised = 0x12345678;
static volatile uint32_t zeroed[3];
static volatile uint32_t sink;

extern const uint8_t fault_here[];

static void put(const char *text)
{
    tm_console_write(text, (uint32_t)strlen(text));
}

static void put_number(const char *name, uint64_t value)
{
    char digits[20];
    uint32_t count = 0;
    do {
        digits[sizeof digits - ++count] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    put(name);
    tm_console_write(digits + sizeof digits - count, count);
}

static uint8_t get(void)
{
    int byte;
    do {
        byte = tm_console_read();
    } while (byte < 0);
    return (uint8_t)byte;
}

/* Two instructions a turn. */
static __attribute__((noinline)) void spin(uint32_t turns)
{
    __asm volatile(".syntax unified\n1: subs %0, %0, #1\n bne 1b" : "+l"(turns)::"cc");
}

static __attribute__((noinline)) uint32_t deep(uint32_t bytes)
{
    volatile uint8_t local[1000];
    local[bytes % sizeof local] = 1;
    return local[bytes % sizeof local];
}

static __attribute__((noinline)) uint32_t endless(uint32_t depth)
{
    volatile uint32_t local[16];
    local[0] = depth;
    sink = depth == UINT32_MAX ? 0 : endless(depth + 1) + local[0];
    return sink;
}

static __attribute__((noinline)) void undefined_instruction(void)
{
    __asm volatile(".global fault_here\n.thumb_func\nfault_here: udf #0");
}

void tm_fault(uint32_t number, uint32_t pc)
{
    put_number("fault ", number);
    put(pc == 0 ? " stack" : (pc | 1u) == ((uint32_t)(uintptr_t)fault_here | 1u) ? " here" : " ?");
    put("\n");
}

static void measure(void)
{
    uint64_t start = tm_counter_read();
    uint64_t none = tm_counter_read() - start;
    start = tm_counter_read();
    spin(1000000);
    put_number("ticks ", tm_counter_read() - start - none);
    put_number(" overhead ", none);
}

/* Time never goes back while the hardware counter wraps twice. */
static void wrap(void)
{
    uint64_t first = tm_counter_read(), last = first, worst = 0;
    while (last - first < (5ull << 23)) {
        uint64_t now = tm_counter_read();
        if (now < last) {
            put("wrap back");
            return;
        }
        worst = now - last > worst ? now - last : worst;
        last = now;
    }
    put_number("wrap worst ", worst);
}

static float halves(float x)
{
    return x * 0.5f;
}

static void command(uint8_t letter)
{
    switch (letter) {
        case 'e':
            put_number("echo ", get());
            break;
        case 'm':
            measure();
            break;
        case 'w':
            wrap();
            break;
        case 's':
            put_number("stack ", tm_stack_peak());
            sink = deep(0);
            put_number(" ", tm_stack_peak());
            put_number(" of ", tm_stack_size());
            break;
        case 'd':
            put_number("data ", initialised == 0x12345678 && !zeroed[0] && !zeroed[2]);
            put_number(" float ", (uint64_t)halves((float)initialised));
            put_number(" weights ", weights[sink % 7]);
            break;
        case 'g':
            put_number("arena ", (uint64_t)tm_arena_intact());
            memset(arena, 0x77, sizeof arena);
            put_number(" ", (uint64_t)tm_arena_intact());
            break;
        case 'h': { /* one byte above the arena */
            volatile uint8_t *volatile at = arena;
            at[ARENA_BYTES] = (uint8_t)~at[ARENA_BYTES];
            put_number("arena ", (uint64_t)tm_arena_intact());
            at[ARENA_BYTES] = (uint8_t)~at[ARENA_BYTES];
            break;
        }
        case 'l': { /* one byte below it */
            volatile uint8_t *volatile at = arena;
            at[-1] = (uint8_t)~at[-1];
            put_number("arena ", (uint64_t)tm_arena_intact());
            break;
        }
        case 't':
            tm_trigger_set(1);
            tm_trigger_set(0);
            put("trigger");
            break;
        case 'f':
            undefined_instruction();
            break;
        case 'o':
            endless(0);
            break;
        default:
            put("?");
    }
    put("\n");
}

int main(void)
{
    struct tm_clock clock = tm_clock_init();
    tm_console_init(clock.hz);
    tm_counter_init(clock.hz);
    tm_trigger_init();
    put("boot " TM_BOARD " ");
    put(clock.status);
    put_number(" ", clock.hz);
    put(" ");
    put(tm_counter_name());
    put_number(" ", tm_counter_hz());
    put("\n");
    measure(); /* before any wait for the host: the same in each run under -icount */
    put("\n");
    for (;;) {
        command(get());
    }
}
