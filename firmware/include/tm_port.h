/* What an application may ask of the chip and of the host port: port/ and soc/ give these. */
#ifndef TM_PORT_H
#define TM_PORT_H

#include <stdint.h>

/* soc/<family>.c. Every wait inside has a bound; a clock that does not start is reported. */
struct tm_clock {
    uint32_t hz;         /* core clock now in use */
    const char *status;  /* "ok", or one word for what did not start, e.g. "hse_timeout" */
};
struct tm_clock tm_clock_init(void);
void tm_console_init(uint32_t clock_hz);
void tm_console_write(const char *bytes, uint32_t count); /* returns when all are handed over */
int tm_console_read(void);                                /* next byte, or -1: none waiting */
void tm_console_wait(void); /* with TM_CONSOLE_IRQ: sleeps until a byte may be waiting */
void tm_trigger_init(void);
void tm_trigger_set(int high);
void tm_trigger_listen(void); /* in place of tm_trigger_init(): an input, for another's trigger */
int tm_trigger_read(void);

/* soc/<family>.c, for a board with [i2c]: two open-drain lines. High is let go and pulled up. */
enum tm_i2c_line { TM_I2C_SCL, TM_I2C_SDA };
void tm_i2c_lines_init(void);
void tm_i2c_line_set(enum tm_i2c_line line, int high);
int tm_i2c_line_read(enum tm_i2c_line line);

/* port/cycles.c: DWT CYCCNT where it is seen to count, else SysTick widened by its interrupt. */
void tm_counter_init(uint32_t clock_hz);
uint64_t tm_counter_read(void);
const char *tm_counter_name(void); /* "dwt", "systick", or "clock_ns" on the host */
uint32_t tm_counter_hz(void);
int tm_counter_goes_on_in_sleep(void); /* CYCCNT does not */

/* port/startup.c, with the linker script's symbols. */
uint32_t tm_stack_size(void);
uint32_t tm_stack_peak(void);  /* deepest use seen since reset, by painting */
int tm_arena_intact(void);     /* 1 while the guard words on both sides of the arena hold */
void tm_exit(int code);        /* ends an emulator or host process; waits for reset on silicon */

#endif
