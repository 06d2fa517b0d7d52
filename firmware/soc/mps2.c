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
