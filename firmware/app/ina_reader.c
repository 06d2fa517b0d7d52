/* The program of a second board that reads an INA219, INA226 or INA228 for `tinyml energy`.
 *
 * At a steady rate by this board's counter it sends a line for each reading:
 *
 *     ina CHIP NUMBER TRIGGER SHUNT BUS
 *
 * registers in hexadecimal as they are. A register holds the mean of the last whole conversion,
 * whose middle lies about one period back; so TRIGGER is the level of the reading before.
 *
 *     ina reader BOARD CHIP RATE CONFIG CLOCK    at the start, and where the host sends '?'
 *     ina error NAME ADDRESS DETAIL              once a second, until it is mended
 *
 * Where the line is slower than the readings, whole lines are left out; their numbers are missing.
 * Built with -DTM_INA_RATE=readings per second. */
#include <stdint.h>

#include "board.h"
#include "tm_i2c.h"
#include "tm_ina.h"
#include "tm_port.h"

#define QUEUE_BYTES 256u
#define LONGEST_LINE 96u
#define BITS_PER_BYTE 10u

static char queue[QUEUE_BYTES]; /* what is to be sent, first in first out */
static uint32_t queued, sent;   /* counts of bytes, modulo 2^32 */

/* From port/startup.c: what the processor's fault handlers call. */
void tm_fault(uint32_t number, uint32_t pc);
void tm_fault(uint32_t number, uint32_t pc)
{
    (void)number;
    (void)pc;
    for (;;) {
    }
}

static void put_text(const char *text)
{
    while (*text != '\0') {
        queue[queued++ % QUEUE_BYTES] = *text++;
    }
}

static void put_decimal(uint32_t value)
{
    char digits[11];
    uint32_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put_text(digits + at);
}

static void put_hex(uint32_t value, uint32_t digits)
{
    while (digits-- > 0) {
        char digit[2] = {"0123456789ABCDEF"[value >> (4 * digits) & 15], '\0'};
        put_text(digit);
    }
}

/* Room for one line more, whatever it says. */
static int room(void)
{
    return queued - sent <= QUEUE_BYTES - LONGEST_LINE;
}

static void put_reader(const struct tm_ina *ina, const char *clock_status)
{
    if (!room()) {
        return;
    }
    put_text("ina reader " TM_BOARD " ");
    put_decimal(ina->chip);
    put_text(" ");
    put_decimal(TM_INA_RATE);
    put_text(" ");
    put_hex(ina->config, 4);
    put_text(" ");
    put_text(clock_status);
    put_text("\n");
}

static void put_error(int error, const struct tm_ina *ina)
{
    if (!room()) {
        return;
    }
    put_text("ina error ");
    put_text(tm_ina_error_name(error));
    put_text(" ");
    put_hex(ina->address, 2);
    put_text(" ");
    put_hex(ina->detail, 4);
    put_text("\n");
}

static void put_reading(const struct tm_ina *ina, uint32_t number, int trigger,
                        const struct tm_ina_reading *reading)
{
    if (!room()) {
        return;
    }
    uint32_t digits = ina->chip == 228 ? 6 : 4;
    put_text("ina ");
    put_decimal(ina->chip);
    put_text(" ");
    put_decimal(number);
    put_text(trigger ? " 1 " : " 0 ");
    put_hex(reading->shunt, digits);
    put_text(" ");
    put_hex(reading->bus, digits);
    put_text("\n");
}

/* Sends and listens until the counter shows `until`; 1 where the host has asked who is here. The
 * last byte is sent early enough not to hold up what comes then. */
static int serve(uint64_t until)
{
    uint64_t byte_ticks = tm_counter_hz() / TM_CONSOLE_BAUD * (BITS_PER_BYTE + 2u);
    int asked = 0;
    for (uint64_t now = tm_counter_read(); now < until; now = tm_counter_read()) {
        if (sent != queued && now + byte_ticks < until) {
            tm_console_write(&queue[sent++ % QUEUE_BYTES], 1);
        }
        asked |= tm_console_read() == '?';
    }
    return asked;
}

/* Readings until one fails; the error. */
static int stream(struct tm_ina *ina, const char *clock_status)
{
    uint32_t period = tm_counter_hz() / TM_INA_RATE;
    uint64_t next = tm_counter_read();
    int trigger = 0, ready = 0, error = 0, asked = 0;
    for (uint32_t tries = 0; error == 0 && !ready && tries < 3; tries++) { /* no value before it */
        next += period;
        asked |= serve(next);
        error = tm_ina_ready(ina, &ready);
    }
    for (uint32_t number = 0; error == 0; number++) {
        next += period;
        for (; next + period < tm_counter_read(); next += period) {
            number++; /* the bus is slower than the rate */
        }
        asked |= serve(next);
        if (asked && room()) {
            put_reader(ina, clock_status);
            asked = 0;
        }
        struct tm_ina_reading reading;
        int level = tm_trigger_read();
        error = tm_ina_read(ina, &reading);
        if (error == 0) {
            put_reading(ina, number, trigger, &reading);
        }
        trigger = level;
    }
    return error;
}

int main(void)
{
    struct tm_clock clock = tm_clock_init();
    tm_console_init(clock.hz);
    tm_trigger_listen();
    tm_counter_init(clock.hz);
    tm_i2c_init(clock.hz);
    put_text("\n");
    for (;;) {
        struct tm_ina ina = {0};
        uint64_t first = tm_counter_read();
        int error = tm_ina_find(&ina);
        if (error == 0 && tm_counter_read() == first) {
            error = TM_INA_NO_COUNTER;
        }
        if (error == 0) {
            error = tm_ina_start(&ina, 1000000u / TM_INA_RATE);
        }
        if (error == 0) {
            put_reader(&ina, clock.status);
            error = stream(&ina, clock.status);
        }
        put_error(error, &ina);
        if (tm_counter_read() == first) { /* without a counter nothing else would send it */
            for (; sent != queued; sent++) {
                tm_console_write(&queue[sent % QUEUE_BYTES], 1);
            }
            tm_exit(1);
        }
        serve(tm_counter_read() + tm_counter_hz());
    }
}
