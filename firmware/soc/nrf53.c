/* Nordic nRF5340, application core in secure state (nRF5340 Product Specification 1.3): 128 MHz,
 * flash cache, UARTE, GPIO.
 *
 * UARTE moves bytes by DMA only: writing goes through a buffer in RAM, and reading asks for one
 * byte at a time; the UART keeps what arrives in between in its own FIFO.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"
#include "tm_register.h"

#define NRF_GPIO_BASE 0x50842500u
#include "tm_nrf.h"

#if TM_CLOCK_HZ != 128000000
#error "nrf53: the application core is set to 128 MHz"
#endif

#define FICR_TRIMCNF_ADDR(i) REGISTER(0x00FF0300u + 8u * (i))
#define FICR_TRIMCNF_DATA(i) REGISTER(0x00FF0304u + 8u * (i))
#define CACHE_ENABLE REGISTER(0x50001500u)
#define CLOCK_TASKS_HFCLKSTART REGISTER(0x50005000u)
#define CLOCK_EVENTS_HFCLKSTARTED REGISTER(0x50005100u)
#define CLOCK_HFCLKCTRL REGISTER(0x50005558u)
#define CTRLAP_APPROTECT_DISABLE REGISTER(0x50006544u)
#define CTRLAP_SECUREAPPROTECT_DISABLE REGISTER(0x5000654Cu)
#define UICR_APPROTECT REGISTER(0x00FF8000u)
#define UICR_SECUREAPPROTECT REGISTER(0x00FF801Cu)

#define UARTE_TASKS_STARTRX REGISTER(TM_CONSOLE_BASE + 0x000u)
#define UARTE_TASKS_STARTTX REGISTER(TM_CONSOLE_BASE + 0x008u)
#define UARTE_EVENTS_ENDRX REGISTER(TM_CONSOLE_BASE + 0x110u)
#define UARTE_EVENTS_ENDTX REGISTER(TM_CONSOLE_BASE + 0x120u)
#define UARTE_ENABLE REGISTER(TM_CONSOLE_BASE + 0x500u)
#define UARTE_PSEL_TXD REGISTER(TM_CONSOLE_BASE + 0x50Cu)
#define UARTE_PSEL_RXD REGISTER(TM_CONSOLE_BASE + 0x514u)
#define UARTE_BAUDRATE REGISTER(TM_CONSOLE_BASE + 0x524u)
#define UARTE_RXD_PTR REGISTER(TM_CONSOLE_BASE + 0x534u)
#define UARTE_RXD_MAXCNT REGISTER(TM_CONSOLE_BASE + 0x538u)
#define UARTE_TXD_PTR REGISTER(TM_CONSOLE_BASE + 0x544u)
#define UARTE_TXD_MAXCNT REGISTER(TM_CONSOLE_BASE + 0x548u)

#define UICR_APPROTECT_PALL_UNPROTECTED (0x50FA50FAu << 0)
#define CACHE_ENABLE_ENABLE (1u << 0)
#define CLOCK_HFCLKCTRL_HCLK_DIV1 (0u << 0)
#define UARTE_ENABLE_ENABLE_UARTE (8u << 0)
#define UARTE_PSEL_TXD_PIN_AND_PORT (TM_CONSOLE_TX_BIT << 0 | TM_CONSOLE_TX_PORT << 5)
#define UARTE_PSEL_RXD_PIN_AND_PORT (TM_CONSOLE_RX_BIT << 0 | TM_CONSOLE_RX_PORT << 5)
#define UARTE_BAUDRATE_BAUDRATE_USED (0xFFFFFu << 12)
#define UARTE_BAUDRATE_BAUDRATE_HALF (1u << 11) /* of the lowest bit used */
#define TASK_TRIGGER (1u << 0)
#define EVENT_GENERATED (1u << 0)
#define BAUDRATE_SCALE 32u

#define UART_HZ 16000000u /* whatever the core runs at */
#define SENDING_BYTES 64u
#define TRIM_COUNT 32u
#define CRYSTAL_TRIES 400000u
#define TX_TRIES 10000000u

static uint8_t sending[SENDING_BYTES];
static volatile uint8_t received;

/* A chip whose UICR leaves the debug port open locks it all the same until the firmware repeats
 * the key; a chip that was locked on purpose stays locked. */
static void keep_debug_port_open(void)
{
    if (UICR_APPROTECT == UICR_APPROTECT_PALL_UNPROTECTED) {
        CTRLAP_APPROTECT_DISABLE = UICR_APPROTECT_PALL_UNPROTECTED;
    }
    if (UICR_SECUREAPPROTECT == UICR_APPROTECT_PALL_UNPROTECTED) {
        CTRLAP_SECUREAPPROTECT_DISABLE = UICR_APPROTECT_PALL_UNPROTECTED;
    }
}

/* The factory's trim values are data in FICR: nothing but the firmware puts them into place. */
static void trim(void)
{
    for (uint32_t i = 0; i < TRIM_COUNT && FICR_TRIMCNF_ADDR(i) != UINT32_MAX; i++) {
        REGISTER(FICR_TRIMCNF_ADDR(i)) = FICR_TRIMCNF_DATA(i);
    }
}

/* The core runs at its speed from either oscillator; only the crystal is accurate. */
struct tm_clock tm_clock_init(void)
{
    trim();
    keep_debug_port_open();
    CACHE_ENABLE = CACHE_ENABLE_ENABLE;
    CLOCK_HFCLKCTRL = CLOCK_HFCLKCTRL_HCLK_DIV1;
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = TASK_TRIGGER;
    if (!tm_wait(&CLOCK_EVENTS_HFCLKSTARTED, EVENT_GENERATED, EVENT_GENERATED, CRYSTAL_TRIES)) {
        return (struct tm_clock){TM_CLOCK_HZ, "hfxo_timeout"};
    }
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

static void receive_one(void)
{
    UARTE_EVENTS_ENDRX = 0;
    UARTE_RXD_PTR = (uint32_t)(uintptr_t)&received;
    UARTE_RXD_MAXCNT = sizeof received;
    UARTE_TASKS_STARTRX = TASK_TRIGGER;
}

void tm_console_init(uint32_t clock_hz)
{
    (void)clock_hz;
    /* baud * 2^32 / 16 MHz, rounded to the upper 20 bits. */
    uint64_t rate = ((uint64_t)TM_CONSOLE_BAUD << BAUDRATE_SCALE) / UART_HZ;
    P_OUTSET(TM_CONSOLE_TX_PORT) = P_OUTSET_PIN(TM_CONSOLE_TX_BIT); /* the line idles high */
    P_DIRSET(TM_CONSOLE_TX_PORT) = P_DIRSET_PIN(TM_CONSOLE_TX_BIT);
    UARTE_PSEL_TXD = UARTE_PSEL_TXD_PIN_AND_PORT;
    UARTE_PSEL_RXD = UARTE_PSEL_RXD_PIN_AND_PORT;
    UARTE_BAUDRATE = (uint32_t)(rate + UARTE_BAUDRATE_BAUDRATE_HALF) & UARTE_BAUDRATE_BAUDRATE_USED;
    UARTE_ENABLE = UARTE_ENABLE_ENABLE_UARTE;
    receive_one();
}

void tm_console_write(const char *bytes, uint32_t count)
{
    while (count > 0) {
        uint32_t part = count < sizeof sending ? count : (uint32_t)sizeof sending;
        for (uint32_t i = 0; i < part; i++) {
            sending[i] = (uint8_t)bytes[i];
        }
        __asm volatile("dmb" ::: "memory"); /* the bytes are in RAM before the DMA is told */
        UARTE_EVENTS_ENDTX = 0;
        UARTE_TXD_PTR = (uint32_t)(uintptr_t)sending;
        UARTE_TXD_MAXCNT = part;
        UARTE_TASKS_STARTTX = TASK_TRIGGER;
        tm_wait(&UARTE_EVENTS_ENDTX, EVENT_GENERATED, EVENT_GENERATED, TX_TRIES);
        bytes += part;
        count -= part;
    }
}

int tm_console_read(void)
{
    if (!UARTE_EVENTS_ENDRX) {
        return -1;
    }
    int byte = received;
    receive_one();
    return byte;
}
