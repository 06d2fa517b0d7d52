/* Nordic nRF52840 (nRF52840 Product Specification 1.7): 64 MHz, flash cache, UART, GPIO.
 *
 * The UART is the one without DMA, whose registers are those of the nRF51.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"
#include "tm_register.h"

#define NRF_GPIO_BASE 0x50000500u
#include "tm_nrf.h"

#define CLOCK_TASKS_HFCLKSTART REGISTER(0x40000000u)
#define CLOCK_EVENTS_HFCLKSTARTED REGISTER(0x40000100u)
#define APPROTECT_DISABLE REGISTER(0x40000558u)
#define NVMC_ICACHECNF REGISTER(0x4001E540u)

#define UART_TASKS_STARTRX REGISTER(TM_CONSOLE_BASE + 0x000u)
#define UART_TASKS_STARTTX REGISTER(TM_CONSOLE_BASE + 0x008u)
#define UART_EVENTS_RXDRDY REGISTER(TM_CONSOLE_BASE + 0x108u)
#define UART_EVENTS_TXDRDY REGISTER(TM_CONSOLE_BASE + 0x11Cu)
#define UART_ENABLE REGISTER(TM_CONSOLE_BASE + 0x500u)
#define UART_PSEL_TXD REGISTER(TM_CONSOLE_BASE + 0x50Cu)
#define UART_PSEL_RXD REGISTER(TM_CONSOLE_BASE + 0x514u)
#define UART_RXD REGISTER(TM_CONSOLE_BASE + 0x518u)
#define UART_TXD REGISTER(TM_CONSOLE_BASE + 0x51Cu)
#define UART_BAUDRATE REGISTER(TM_CONSOLE_BASE + 0x524u)

#define APPROTECT_DISABLE_DISABLE_SOFTWARE (0x5Au << 0)
#define NVMC_ICACHECNF_CACHEEN (1u << 0)
#define UART_ENABLE_ENABLE_UART (4u << 0)
#define UART_PSEL_TXD_PIN_AND_PORT (TM_CONSOLE_TX_BIT << 0 | TM_CONSOLE_TX_PORT << 5)
#define UART_PSEL_RXD_PIN_AND_PORT (TM_CONSOLE_RX_BIT << 0 | TM_CONSOLE_RX_PORT << 5)
#define UART_BAUDRATE_BAUDRATE_USED (0xFFFFFu << 12)
#define UART_BAUDRATE_BAUDRATE_HALF (1u << 11) /* of the lowest bit used */
#define TASK_TRIGGER (1u << 0)
#define EVENT_GENERATED (1u << 0)
#define BAUDRATE_SCALE 32u

#define UART_HZ 16000000u /* whatever the core runs at */
#define CRYSTAL_TRIES 200000u
#define TX_TRIES 1000000u

/* The core runs at its one speed from either oscillator; only the crystal is accurate. Chips from
 * 2021 on lock their debug port at reset unless the firmware too says that it may stay open. */
struct tm_clock tm_clock_init(void)
{
    APPROTECT_DISABLE = APPROTECT_DISABLE_DISABLE_SOFTWARE;
    NVMC_ICACHECNF = NVMC_ICACHECNF_CACHEEN;
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = TASK_TRIGGER;
    if (!tm_wait(&CLOCK_EVENTS_HFCLKSTARTED, EVENT_GENERATED, EVENT_GENERATED, CRYSTAL_TRIES)) {
        return (struct tm_clock){TM_CLOCK_HZ, "hfxo_timeout"};
    }
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
    (void)clock_hz;
    /* baud * 2^32 / 16 MHz, rounded to the upper 20 bits: 0x01D7E000 for 115200. */
    uint64_t rate = ((uint64_t)TM_CONSOLE_BAUD << BAUDRATE_SCALE) / UART_HZ;
    P_OUTSET(TM_CONSOLE_TX_PORT) = P_OUTSET_PIN(TM_CONSOLE_TX_BIT); /* the line idles high */
    P_DIRSET(TM_CONSOLE_TX_PORT) = P_DIRSET_PIN(TM_CONSOLE_TX_BIT);
    UART_PSEL_TXD = UART_PSEL_TXD_PIN_AND_PORT;
    UART_PSEL_RXD = UART_PSEL_RXD_PIN_AND_PORT;
    UART_BAUDRATE = (uint32_t)(rate + UART_BAUDRATE_BAUDRATE_HALF) & UART_BAUDRATE_BAUDRATE_USED;
    UART_ENABLE = UART_ENABLE_ENABLE_UART;
    UART_EVENTS_RXDRDY = 0;
    UART_TASKS_STARTTX = TASK_TRIGGER;
    UART_TASKS_STARTRX = TASK_TRIGGER;
}

void tm_console_write(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        UART_EVENTS_TXDRDY = 0;
        UART_TXD = (uint8_t)bytes[i];
        tm_wait(&UART_EVENTS_TXDRDY, EVENT_GENERATED, EVENT_GENERATED, TX_TRIES);
    }
}

int tm_console_read(void)
{
    if (!UART_EVENTS_RXDRDY) {
        return -1;
    }
    UART_EVENTS_RXDRDY = 0; /* before RXD: reading it may raise the next event */
    return (int)(uint8_t)UART_RXD;
}
