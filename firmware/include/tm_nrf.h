/* GPIO of Nordic's nRF52840 and nRF5340.
 *
 * A family's file first defines NRF_GPIO_BASE, where P0 has its OUT register less 4 bytes. Pins are
 * the board's: TM_CONSOLE_*, TM_TRIGGER_*, TM_I2C_*. */
#ifndef TM_NRF_H
#define TM_NRF_H

#include <stdint.h>

#include "board.h"
#include "tm_port.h"
#include "tm_register.h"

#define P(port, offset) REGISTER(NRF_GPIO_BASE + 0x300u * (port) + (offset))
#define P_OUTSET(port) P(port, 0x008u)
#define P_OUTCLR(port) P(port, 0x00Cu)
#define P_IN(port) P(port, 0x010u)
#define P_DIRSET(port) P(port, 0x018u)
#define P_DIRCLR(port) P(port, 0x01Cu)
#define P_PIN_CNF(number) P((number) >> 5, 0x200u + 4u * ((number) & 31u))
#define PIN_NUMBER(pin) (32u * pin##_PORT + pin##_BIT)

#define P_PIN_CNF_PULL_DOWN (1u << 2)
#define P_PIN_CNF_PULL_UP (3u << 2)
#define P_OUTSET_PIN(pin) (1u << (pin))
#define P_OUTCLR_PIN(pin) (1u << (pin))
#define P_DIRSET_PIN(pin) (1u << (pin))
#define P_DIRCLR_PIN(pin) (1u << (pin))

void tm_trigger_init(void)
{
#ifdef TM_TRIGGER_BIT
    P_OUTCLR(TM_TRIGGER_PORT) = P_OUTCLR_PIN(TM_TRIGGER_BIT);
    P_DIRSET(TM_TRIGGER_PORT) = P_DIRSET_PIN(TM_TRIGGER_BIT);
#endif
}

void tm_trigger_set(int high)
{
#ifdef TM_TRIGGER_BIT
    if (high) {
        P_OUTSET(TM_TRIGGER_PORT) = P_OUTSET_PIN(TM_TRIGGER_BIT);
    } else {
        P_OUTCLR(TM_TRIGGER_PORT) = P_OUTCLR_PIN(TM_TRIGGER_BIT);
    }
#else
    (void)high;
#endif
}

void tm_trigger_listen(void)
{
#ifdef TM_TRIGGER_BIT
    P_PIN_CNF(PIN_NUMBER(TM_TRIGGER)) = P_PIN_CNF_PULL_DOWN; /* input, connected */
#endif
}

int tm_trigger_read(void)
{
#ifdef TM_TRIGGER_BIT
    return (int)(P_IN(TM_TRIGGER_PORT) >> TM_TRIGGER_BIT & 1u);
#else
    return 0;
#endif
}

#ifdef TM_I2C_SDA_BIT
/* The output is low from the start: as an output the pin pulls the line down, as an input it lets
 * go of it. */
void tm_i2c_lines_init(void)
{
    P_OUTCLR(TM_I2C_SCL_PORT) = P_OUTCLR_PIN(TM_I2C_SCL_BIT);
    P_OUTCLR(TM_I2C_SDA_PORT) = P_OUTCLR_PIN(TM_I2C_SDA_BIT);
    P_PIN_CNF(PIN_NUMBER(TM_I2C_SCL)) = P_PIN_CNF_PULL_UP; /* input, connected */
    P_PIN_CNF(PIN_NUMBER(TM_I2C_SDA)) = P_PIN_CNF_PULL_UP;
}

static inline void nrf_i2c_line_set(uint32_t port, uint32_t pin, int high)
{
    if (high) {
        P_DIRCLR(port) = P_DIRCLR_PIN(pin);
    } else {
        P_DIRSET(port) = P_DIRSET_PIN(pin);
    }
}

void tm_i2c_line_set(enum tm_i2c_line line, int high)
{
    if (line == TM_I2C_SCL) {
        nrf_i2c_line_set(TM_I2C_SCL_PORT, TM_I2C_SCL_BIT, high);
    } else {
        nrf_i2c_line_set(TM_I2C_SDA_PORT, TM_I2C_SDA_BIT, high);
    }
}

int tm_i2c_line_read(enum tm_i2c_line line)
{
    return (int)(line == TM_I2C_SCL ? P_IN(TM_I2C_SCL_PORT) >> TM_I2C_SCL_BIT & 1u
                                    : P_IN(TM_I2C_SDA_PORT) >> TM_I2C_SDA_BIT & 1u);
}
#endif

#endif
