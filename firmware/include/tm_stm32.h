/* GPIO of every STM32 since the F2, and the USART of those since the F7 and L4.
 *
 * A family's file first defines STM32_GPIO_BASE, the address of port A, and STM32_GPIO_ENR, the
 * register with one clock-enable bit per port. Pins are the board's: TM_CONSOLE_*, TM_TRIGGER_*. */
#ifndef TM_STM32_H
#define TM_STM32_H

#include <stdint.h>

#include "board.h"
#include "tm_port.h"
#include "tm_register.h"

#define GPIO(port, offset) REGISTER(STM32_GPIO_BASE + 0x400u * (port) + (offset))
#define GPIO_MODER(port) GPIO(port, 0x00u)
#define GPIO_OSPEEDR(port) GPIO(port, 0x08u)
#define GPIO_PUPDR(port) GPIO(port, 0x0Cu)
#define GPIO_IDR(port) GPIO(port, 0x10u)
#define GPIO_BSRR(port) GPIO(port, 0x18u)
#define GPIO_AFRL(port) GPIO(port, 0x20u)
#define GPIO_AFRH(port) GPIO(port, 0x24u)

/* Two bits a pin in MODER, OSPEEDR and PUPDR, four in AFRL (pins 0 to 7) and AFRH (8 to 15). */
#define GPIO_MODER_MODER(pin) (3u << 2u * (pin))
#define GPIO_MODER_MODER_OUTPUT(pin) (1u << 2u * (pin))
#define GPIO_MODER_MODER_ALTERNATE(pin) (2u << 2u * (pin))
#define GPIO_OSPEEDR_OSPEEDR(pin) (3u << 2u * (pin))
#define GPIO_OSPEEDR_OSPEEDR_FAST(pin) (2u << 2u * (pin))
#define GPIO_PUPDR_PUPDR(pin) (3u << 2u * (pin))
#define GPIO_PUPDR_PUPDR_UP(pin) (1u << 2u * (pin))
#define GPIO_PUPDR_PUPDR_DOWN(pin) (2u << 2u * (pin))
#define GPIO_BSRR_BS(pin) (1u << (pin))
#define GPIO_BSRR_BR(pin) (1u << ((pin) + 16u))
#define GPIO_AFRL_AFRL(low) (15u << 4u * (low))
#define GPIO_AFRL_AFRL_CONSOLE(low) (TM_CONSOLE_FUNCTION << 4u * (low))
#define GPIO_AFRH_AFRH(high) (15u << 4u * ((high) - 8u))
#define GPIO_AFRH_AFRH_CONSOLE(high) (TM_CONSOLE_FUNCTION << 4u * ((high) - 8u))
#define STM32_GPIO_ENR_GPIOEN(port) (1u << (port))
#define AFRL_PINS 8u

#define STM32_TX_TRIES 1000000u

static inline void stm32_gpio_clock(uint32_t port)
{
    STM32_GPIO_ENR |= STM32_GPIO_ENR_GPIOEN(port);
    (void)STM32_GPIO_ENR; /* two clocks until the peripheral answers */
}

static inline void stm32_set(volatile uint32_t *reg, uint32_t field, uint32_t value)
{
    *reg = (*reg & ~field) | value;
}

/* The pin becomes the UART's, with a pull-up so that an open line reads as idle. */
static inline void stm32_uart_pin(uint32_t port, uint32_t pin)
{
    stm32_gpio_clock(port);
    if (pin < AFRL_PINS) {
        stm32_set(&GPIO_AFRL(port), GPIO_AFRL_AFRL(pin), GPIO_AFRL_AFRL_CONSOLE(pin));
    } else {
        stm32_set(&GPIO_AFRH(port), GPIO_AFRH_AFRH(pin), GPIO_AFRH_AFRH_CONSOLE(pin));
    }
    stm32_set(&GPIO_PUPDR(port), GPIO_PUPDR_PUPDR(pin), GPIO_PUPDR_PUPDR_UP(pin));
    stm32_set(&GPIO_MODER(port), GPIO_MODER_MODER(pin), GPIO_MODER_MODER_ALTERNATE(pin));
}

static inline void stm32_uart_pins(void)
{
    stm32_uart_pin(TM_CONSOLE_TX_PORT, TM_CONSOLE_TX_BIT);
    stm32_uart_pin(TM_CONSOLE_RX_PORT, TM_CONSOLE_RX_BIT);
}

static inline void stm32_trigger_set(int high)
{
#ifdef TM_TRIGGER_BIT
    GPIO_BSRR(TM_TRIGGER_PORT) =
        high ? GPIO_BSRR_BS(TM_TRIGGER_BIT) : GPIO_BSRR_BR(TM_TRIGGER_BIT);
#else
    (void)high;
#endif
}

static inline void stm32_trigger_init(void)
{
#ifdef TM_TRIGGER_BIT
    stm32_gpio_clock(TM_TRIGGER_PORT);
    stm32_trigger_set(0);
    stm32_set(&GPIO_OSPEEDR(TM_TRIGGER_PORT), GPIO_OSPEEDR_OSPEEDR(TM_TRIGGER_BIT),
              GPIO_OSPEEDR_OSPEEDR_FAST(TM_TRIGGER_BIT));
    stm32_set(&GPIO_MODER(TM_TRIGGER_PORT), GPIO_MODER_MODER(TM_TRIGGER_BIT),
              GPIO_MODER_MODER_OUTPUT(TM_TRIGGER_BIT));
#endif
}

void tm_trigger_listen(void)
{
#ifdef TM_TRIGGER_BIT
    stm32_gpio_clock(TM_TRIGGER_PORT);
    stm32_set(&GPIO_PUPDR(TM_TRIGGER_PORT), GPIO_PUPDR_PUPDR(TM_TRIGGER_BIT),
              GPIO_PUPDR_PUPDR_DOWN(TM_TRIGGER_BIT));
    GPIO_MODER(TM_TRIGGER_PORT) &= ~GPIO_MODER_MODER(TM_TRIGGER_BIT); /* input */
#endif
}

int tm_trigger_read(void)
{
#ifdef TM_TRIGGER_BIT
    return (int)(GPIO_IDR(TM_TRIGGER_PORT) >> TM_TRIGGER_BIT & 1u);
#else
    return 0;
#endif
}

#ifdef TM_I2C_SDA_BIT
/* The output is low from the start: as an output the pin pulls the line down, as an input it lets
 * go of it. */
static inline void stm32_i2c_line_init(uint32_t port, uint32_t pin)
{
    stm32_gpio_clock(port);
    GPIO_BSRR(port) = GPIO_BSRR_BR(pin);
    stm32_set(&GPIO_PUPDR(port), GPIO_PUPDR_PUPDR(pin), GPIO_PUPDR_PUPDR_UP(pin));
    GPIO_MODER(port) &= ~GPIO_MODER_MODER(pin);
}

static inline void stm32_i2c_line_set(uint32_t port, uint32_t pin, int high)
{
    uint32_t mode = high ? 0u : GPIO_MODER_MODER_OUTPUT(pin);
    stm32_set(&GPIO_MODER(port), GPIO_MODER_MODER(pin), mode);
}

void tm_i2c_lines_init(void)
{
    stm32_i2c_line_init(TM_I2C_SCL_PORT, TM_I2C_SCL_BIT);
    stm32_i2c_line_init(TM_I2C_SDA_PORT, TM_I2C_SDA_BIT);
}

void tm_i2c_line_set(enum tm_i2c_line line, int high)
{
    if (line == TM_I2C_SCL) {
        stm32_i2c_line_set(TM_I2C_SCL_PORT, TM_I2C_SCL_BIT, high);
    } else {
        stm32_i2c_line_set(TM_I2C_SDA_PORT, TM_I2C_SDA_BIT, high);
    }
}

int tm_i2c_line_read(enum tm_i2c_line line)
{
    return (int)(line == TM_I2C_SCL ? GPIO_IDR(TM_I2C_SCL_PORT) >> TM_I2C_SCL_BIT & 1u
                                    : GPIO_IDR(TM_I2C_SDA_PORT) >> TM_I2C_SDA_BIT & 1u);
}
#endif

#ifndef STM32_OLD_USART
#define USART_CR1 REGISTER(TM_CONSOLE_BASE + 0x00u)
#define USART_BRR REGISTER(TM_CONSOLE_BASE + 0x0Cu)
#define USART_ISR REGISTER(TM_CONSOLE_BASE + 0x1Cu)
#define USART_ICR REGISTER(TM_CONSOLE_BASE + 0x20u)
#define USART_RDR REGISTER(TM_CONSOLE_BASE + 0x24u)
#define USART_TDR REGISTER(TM_CONSOLE_BASE + 0x28u)

#define USART_CR1_UE (1u << 0)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_ISR_ORE (1u << 3)
#define USART_ISR_RXNE (1u << 5)
#define USART_ISR_TXE (1u << 7)
#define USART_ICR_ORECF (1u << 3)

static inline void stm32_usart_init(uint32_t divider)
{
    USART_BRR = divider;
    USART_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
}

static inline void stm32_usart_write(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tm_wait(&USART_ISR, USART_ISR_TXE, USART_ISR_TXE, STM32_TX_TRIES);
        USART_TDR = (uint8_t)bytes[i];
    }
}

/* After an overrun nothing more is received until the flag is cleared: bytes were lost by then,
 * which the protocol's checksums notice. */
static inline int stm32_usart_read(void)
{
    uint32_t state = USART_ISR;
    if (state & USART_ISR_ORE) {
        USART_ICR = USART_ICR_ORECF;
    }
    return state & USART_ISR_RXNE ? (int)(uint8_t)USART_RDR : -1;
}
#endif

#endif
