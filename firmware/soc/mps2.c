/* Arm MPS2 and MPS3 FPGA images: fixed clock, CMSDK UART (Arm DDI 0479, chapter 4.3). */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"
#include "tm_register.h"
#include "tm_sleep.h"

#define UART_DATA REGISTER(TM_CONSOLE_BASE + 0x00u)
#define UART_STATE REGISTER(TM_CONSOLE_BASE + 0x04u)
#define UART_CTRL REGISTER(TM_CONSOLE_BASE + 0x08u)
#define UART_BAUDDIV REGISTER(TM_CONSOLE_BASE + 0x10u)

#define UART_STATE_TXFULL (1u << 0)
#define UART_STATE_RXFULL (1u << 1)
#define UART_CTRL_TXEN (1u << 0)
#define UART_CTRL_RXEN (1u << 1)
#define UART_CTRL_RXINTEN (1u << 3)
#define UART_INTCLEAR REGISTER(TM_CONSOLE_BASE + 0x0Cu)
#define UART_INTCLEAR_RX (1u << 1)
#define UART_BAUDDIV_MIN 16u
#define TX_TRIES 1000000u

struct tm_clock tm_clock_init(void)
{
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
    uint32_t divider = clock_hz / TM_CONSOLE_BAUD;
    UART_BAUDDIV = divider < UART_BAUDDIV_MIN ? UART_BAUDDIV_MIN : divider;
    UART_CTRL = UART_CTRL_TXEN | UART_CTRL_RXEN | UART_CTRL_RXINTEN;
}

void tm_console_write(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t tries = 0; (UART_STATE & UART_STATE_TXFULL) && tries < TX_TRIES; tries++) {
        }
        UART_DATA = (uint8_t)bytes[i];
    }
}

int tm_console_read(void)
{
    return UART_STATE & UART_STATE_RXFULL ? (int)(uint8_t)UART_DATA : -1;
}

static int waiting(void)
{
    return (UART_STATE & UART_STATE_RXFULL) != 0;
}

void tm_console_wait(void)
{
    UART_INTCLEAR = UART_INTCLEAR_RX;
    tm_sleep_unless(waiting);
}

void tm_trigger_init(void)
{
}

void tm_trigger_set(int high)
{
    (void)high; /* these boards have no trigger pin */
}

void tm_trigger_listen(void)
{
}

int tm_trigger_read(void)
{
    return 0;
}

#ifdef TM_I2C_BASE
/* Arm's SBCon: one register shows the lines, another lets go of them, a third pulls them down. */
#define SBCON_CONTROL REGISTER(TM_I2C_BASE + 0x0u)
#define SBCON_CONTROLS REGISTER(TM_I2C_BASE + 0x0u)
#define SBCON_CONTROLC REGISTER(TM_I2C_BASE + 0x4u)
#define SBCON_SCL (1u << 0)
#define SBCON_SDA (1u << 1)

void tm_i2c_lines_init(void)
{
    SBCON_CONTROLS = SBCON_SCL | SBCON_SDA;
}

void tm_i2c_line_set(enum tm_i2c_line line, int high)
{
    uint32_t bit = line == TM_I2C_SCL ? SBCON_SCL : SBCON_SDA;
    if (high) {
        SBCON_CONTROLS = bit;
    } else {
        SBCON_CONTROLC = bit;
    }
}

int tm_i2c_line_read(enum tm_i2c_line line)
{
    return (SBCON_CONTROL & (line == TM_I2C_SCL ? SBCON_SCL : SBCON_SDA)) != 0;
}
#endif
