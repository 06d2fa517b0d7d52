/* Nordic nRF51 (nRF51 Series Reference Manual 3.0): 16 MHz crystal, UART, GPIO. */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"
#include "tm_register.h"
#include "tm_sleep.h"

#define CLOCK_TASKS_HFCLKSTART REGISTER(0x40000000u)
#define CLOCK_EVENTS_HFCLKSTARTED REGISTER(0x40000100u)

#define UART(offset) REGISTER(TM_CONSOLE_BASE + (offset))
#define UART_TASKS_STARTRX UART(0x000u)
#define UART_TASKS_STARTTX UART(0x008u)
#define UART_EVENTS_RXDRDY UART(0x108u)
#define UART_EVENTS_TXDRDY UART(0x11Cu)
#define UART_INTENSET UART(0x304u)
#define UART_ENABLE UART(0x500u)
#define UART_PSELTXD UART(0x50Cu)
#define UART_PSELRXD UART(0x514u)
#define UART_RXD UART(0x518u)
#define UART_TXD UART(0x51Cu)
#define UART_BAUDRATE UART(0x524u)

#define GPIO_OUTSET REGISTER(0x50000508u)
#define GPIO_OUTCLR REGISTER(0x5000050Cu)
#define GPIO_IN REGISTER(0x50000510u)
#define GPIO_DIRSET REGISTER(0x50000518u)
#define GPIO_DIRCLR REGISTER(0x5000051Cu)
#define GPIO_PIN_CNF(number) REGISTER(0x50000700u + 4u * (number))
#define PIN_NUMBER(pin) (pin##_BIT)

#define GPIO_PIN_CNF_PULL_DOWN (1u << 2)
#define GPIO_PIN_CNF_PULL_UP (3u << 2)

#define GPIO_OUTSET_PIN(pin) (1u << (pin))
#define GPIO_OUTCLR_PIN(pin) (1u << (pin))
#define GPIO_DIRSET_PIN(pin) (1u << (pin))
#define GPIO_DIRCLR_PIN(pin) (1u << (pin))
#define UART_BAUDRATE_BAUDRATE_USED (0xFFFFFu << 12)
#define UART_BAUDRATE_BAUDRATE_HALF (1u << 11) /* of the lowest bit used */
#define UART_INTENSET_RXDRDY (1u << 2)
#define TASK_TRIGGER (1u << 0)
#define EVENT_GENERATED (1u << 0)
#define BAUDRATE_SCALE 32u
#define UART_ENABLE_ENABLE_ENABLED (4u << 0)
#define CRYSTAL_TRIES 100000u
#define TX_TRIES 1000000u

/* The core runs at 16 MHz from either oscillator; only the crystal is accurate. */
struct tm_clock tm_clock_init(void)
{
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = TASK_TRIGGER;
    for (uint32_t tries = 0; tries < CRYSTAL_TRIES; tries++) {
        if (CLOCK_EVENTS_HFCLKSTARTED) {
            return (struct tm_clock){TM_CLOCK_HZ, "ok"};
        }
    }
    return (struct tm_clock){TM_CLOCK_HZ, "hfxo_timeout"};
}

void tm_console_init(uint32_t clock_hz)
{
    (void)clock_hz; /* known beforehand, which spares a division in 64 bits */
    /* baud * 2^32 / clock, rounded to the upper 20 bits: 0x01D7E000 for 115200 at 16 MHz. */
    uint64_t rate = ((uint64_t)TM_CONSOLE_BAUD << BAUDRATE_SCALE) / TM_CLOCK_HZ;
    GPIO_OUTSET = GPIO_OUTSET_PIN(TM_CONSOLE_TX_BIT); /* the line idles high before the UART drives it */
    GPIO_DIRSET = GPIO_DIRSET_PIN(TM_CONSOLE_TX_BIT);
    UART_PSELTXD = TM_CONSOLE_TX_BIT;
    UART_PSELRXD = TM_CONSOLE_RX_BIT;
    UART_BAUDRATE = (uint32_t)(rate + UART_BAUDRATE_BAUDRATE_HALF) & UART_BAUDRATE_BAUDRATE_USED;
    UART_ENABLE = UART_ENABLE_ENABLE_ENABLED;
    UART_EVENTS_RXDRDY = 0;
#ifdef TM_CONSOLE_IRQ
    UART_INTENSET = UART_INTENSET_RXDRDY;
#endif
    UART_TASKS_STARTTX = TASK_TRIGGER;
    UART_TASKS_STARTRX = TASK_TRIGGER;
}

void tm_console_write(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        UART_EVENTS_TXDRDY = 0;
        UART_TXD = (uint8_t)bytes[i];
        for (uint32_t tries = 0; !UART_EVENTS_TXDRDY && tries < TX_TRIES; tries++) {
        }
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

#ifdef TM_CONSOLE_IRQ
static int waiting(void)
{
    return UART_EVENTS_RXDRDY != 0;
}

void tm_console_wait(void)
{
    tm_sleep_unless(waiting);
}
#endif

void tm_trigger_init(void)
{
#ifdef TM_TRIGGER_BIT
    GPIO_OUTCLR = GPIO_OUTCLR_PIN(TM_TRIGGER_BIT);
    GPIO_DIRSET = GPIO_DIRSET_PIN(TM_TRIGGER_BIT);
#endif
}

void tm_trigger_set(int high)
{
#ifdef TM_TRIGGER_BIT
    if (high) {
        GPIO_OUTSET = GPIO_OUTSET_PIN(TM_TRIGGER_BIT);
    } else {
        GPIO_OUTCLR = GPIO_OUTCLR_PIN(TM_TRIGGER_BIT);
    }
#else
    (void)high;
#endif
}

void tm_trigger_listen(void)
{
#ifdef TM_TRIGGER_BIT
    GPIO_PIN_CNF(PIN_NUMBER(TM_TRIGGER)) = GPIO_PIN_CNF_PULL_DOWN; /* input, connected */
#endif
}

int tm_trigger_read(void)
{
#ifdef TM_TRIGGER_BIT
    return (int)(GPIO_IN >> TM_TRIGGER_BIT & 1u);
#else
    return 0;
#endif
}

#ifdef TM_I2C_SDA_BIT
/* The output is low from the start: as an output the pin pulls the line down, as an input it lets
 * go of it. */
void tm_i2c_lines_init(void)
{
    GPIO_OUTCLR = GPIO_OUTCLR_PIN(TM_I2C_SCL_BIT);
    GPIO_OUTCLR = GPIO_OUTCLR_PIN(TM_I2C_SDA_BIT);
    GPIO_PIN_CNF(PIN_NUMBER(TM_I2C_SCL)) = GPIO_PIN_CNF_PULL_UP; /* input, connected */
    GPIO_PIN_CNF(PIN_NUMBER(TM_I2C_SDA)) = GPIO_PIN_CNF_PULL_UP;
}

void tm_i2c_line_set(enum tm_i2c_line line, int high)
{
    if (line == TM_I2C_SCL) {
        if (high) {
            GPIO_DIRCLR = GPIO_DIRCLR_PIN(TM_I2C_SCL_BIT);
        } else {
            GPIO_DIRSET = GPIO_DIRSET_PIN(TM_I2C_SCL_BIT);
        }
    } else if (high) {
        GPIO_DIRCLR = GPIO_DIRCLR_PIN(TM_I2C_SDA_BIT);
    } else {
        GPIO_DIRSET = GPIO_DIRSET_PIN(TM_I2C_SDA_BIT);
    }
}

int tm_i2c_line_read(enum tm_i2c_line line)
{
    return (int)(line == TM_I2C_SCL ? GPIO_IN >> TM_I2C_SCL_BIT & 1u
                                    : GPIO_IN >> TM_I2C_SDA_BIT & 1u);
}
#endif
