/* Arm MPS2 and MPS3 FPGA images: fixed clock, CMSDK UART (Arm DDI 0479, chapter 4.3). */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"

#define UART(offset) (*(volatile uint32_t *)(TM_CONSOLE_BASE + (offset)))
#define UART_DATA UART(0x00u)
#define UART_STATE UART(0x04u)
#define UART_CTRL UART(0x08u)
#define UART_BAUDDIV UART(0x10u)

#define STATE_TX_FULL (1u << 0)
#define STATE_RX_FULL (1u << 1)
#define CTRL_TX_RX 3u
#define BAUDDIV_MIN 16u
#define TX_TRIES 1000000u

struct tm_clock tm_clock_init(void)
{
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
    uint32_t divider = clock_hz / TM_CONSOLE_BAUD;
    UART_BAUDDIV = divider < BAUDDIV_MIN ? BAUDDIV_MIN : divider;
    UART_CTRL = CTRL_TX_RX;
}

void tm_console_write(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t tries = 0; (UART_STATE & STATE_TX_FULL) && tries < TX_TRIES; tries++) {
        }
        UART_DATA = (uint8_t)bytes[i];
    }
}

int tm_console_read(void)
{
    return UART_STATE & STATE_RX_FULL ? (int)(UART_DATA & 0xFFu) : -1;
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
#define SBCON_CONTROL (*(volatile uint32_t *)(TM_I2C_BASE + 0x0u))
#define SBCON_CONTROLS (*(volatile uint32_t *)(TM_I2C_BASE + 0x0u))
#define SBCON_CONTROLC (*(volatile uint32_t *)(TM_I2C_BASE + 0x4u))
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
