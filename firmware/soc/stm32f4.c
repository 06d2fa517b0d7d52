/* STM32F405/407 (RM0090): 8 MHz crystal to 168 MHz, USART2 on PA2/PA3, trigger on any GPIO.
 *
 * Where crystal, voltage scaling or PLL do not start, the core stays on HSI, 16 MHz, and the
 * status says why. QEMU has no RCC, so the same image takes that path there.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"

#if TM_CLOCK_HZ != 168000000
#error "stm32f4: the PLL is set for 168 MHz from an 8 MHz crystal"
#endif
#if TM_CONSOLE_BASE != 0x40004400
#error "stm32f4: the console is USART2 at 0x40004400"
#endif

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define RCC_CR REGISTER(0x40023800u)
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_CFGR REGISTER(0x40023808u)
#define RCC_AHB1ENR REGISTER(0x40023830u)
#define RCC_APB1ENR REGISTER(0x40023840u)
#define PWR_CR REGISTER(0x40007000u)
#define PWR_CSR REGISTER(0x40007004u)
#define FLASH_ACR REGISTER(0x40023C00u)

#define GPIO(port, offset) REGISTER(0x40020000u + 0x400u * (port) + (offset))
#define GPIO_MODER(port) GPIO(port, 0x00u)
#define GPIO_OSPEEDR(port) GPIO(port, 0x08u)
#define GPIO_PUPDR(port) GPIO(port, 0x0Cu)
#define GPIO_BSRR(port) GPIO(port, 0x18u)
#define GPIO_AFRL(port) GPIO(port, 0x20u)

#define USART_SR REGISTER(TM_CONSOLE_BASE + 0x00u)
#define USART_DR REGISTER(TM_CONSOLE_BASE + 0x04u)
#define USART_BRR REGISTER(TM_CONSOLE_BASE + 0x08u)
#define USART_CR1 REGISTER(TM_CONSOLE_BASE + 0x0Cu)

#define CR_HSEON (1u << 16)
#define CR_HSERDY (1u << 17)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define CFGR_SW_PLL 2u
#define CFGR_SW (3u << 0)
#define CFGR_SWS_PLL (2u << 2)
#define CFGR_SWS (3u << 2)
#define CFGR_PPRE1_DIV4 (5u << 10)
#define CFGR_PPRE2_DIV2 (4u << 13)
/* 8 MHz / M 8 * N 336 / P 2 = 168 MHz; / Q 7 = 48 MHz */
#define PLLCFGR_168MHZ (8u | 336u << 6 | 0u << 16 | 1u << 22 | 7u << 24)
#define APB1ENR_USART2EN (1u << 17)
#define APB1ENR_PWREN (1u << 28)
#define PWR_CR_VOS (1u << 14)
#define PWR_CSR_VOSRDY (1u << 14)
#define ACR_5WS_PREFETCH_CACHES (5u | 1u << 8 | 1u << 9 | 1u << 10)
#define ACR_LATENCY 7u
#define SR_RXNE (1u << 5)
#define SR_TXE (1u << 7)
#define CR1_UE_TE_RE (1u << 13 | 1u << 3 | 1u << 2)

#define HSI_HZ 16000000u
#define TX_PIN 2u
#define RX_PIN 3u
/* At 16 MHz and five or more cycles a try: over 15 ms, where a crystal needs about 2 ms. */
#define READY_TRIES 50000u
#define TX_TRIES 1000000u

static int wait(volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    for (uint32_t tries = 0; tries < READY_TRIES; tries++) {
        if ((*reg & mask) == value) {
            return 1;
        }
    }
    return 0;
}

static struct tm_clock stay_on_hsi(const char *status)
{
    RCC_CFGR &= ~(CFGR_SW | 7u << 10 | 7u << 13);
    RCC_CR &= ~(CR_PLLON | CR_HSEON);
    return (struct tm_clock){HSI_HZ, status};
}

struct tm_clock tm_clock_init(void)
{
    RCC_CR |= CR_HSEON;
    if (!wait(&RCC_CR, CR_HSERDY, CR_HSERDY)) {
        return stay_on_hsi("hse_timeout");
    }
    RCC_APB1ENR |= APB1ENR_PWREN;
    (void)RCC_APB1ENR; /* two clocks until the peripheral answers */
    PWR_CR |= PWR_CR_VOS;
    RCC_PLLCFGR = PLLCFGR_168MHZ;
    RCC_CR |= CR_PLLON;
    if (!wait(&RCC_CR, CR_PLLRDY, CR_PLLRDY)) {
        return stay_on_hsi("pll_timeout");
    }
    if (!wait(&PWR_CSR, PWR_CSR_VOSRDY, PWR_CSR_VOSRDY)) { /* only while the PLL is on */
        return stay_on_hsi("vos_timeout");
    }
    FLASH_ACR = ACR_5WS_PREFETCH_CACHES;
    if (!wait(&FLASH_ACR, ACR_LATENCY, 5u)) {
        return stay_on_hsi("flash_timeout");
    }
    RCC_CFGR |= CFGR_PPRE1_DIV4 | CFGR_PPRE2_DIV2;
    RCC_CFGR = (RCC_CFGR & ~CFGR_SW) | CFGR_SW_PLL;
    if (!wait(&RCC_CFGR, CFGR_SWS, CFGR_SWS_PLL)) {
        return stay_on_hsi("switch_timeout");
    }
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
    uint32_t apb1_hz = clock_hz == TM_CLOCK_HZ ? clock_hz / 4u : clock_hz;
    RCC_AHB1ENR |= 1u << 0;
    RCC_APB1ENR |= APB1ENR_USART2EN;
    (void)RCC_APB1ENR;
    GPIO_AFRL(0) = (GPIO_AFRL(0) & ~0xFF00u) | 7u << (4u * TX_PIN) | 7u << (4u * RX_PIN);
    GPIO_PUPDR(0) = (GPIO_PUPDR(0) & ~(3u << (2u * RX_PIN))) | 1u << (2u * RX_PIN);
    GPIO_MODER(0) = (GPIO_MODER(0) & ~0xF0u) | 2u << (2u * TX_PIN) | 2u << (2u * RX_PIN);
    USART_BRR = (apb1_hz + TM_CONSOLE_BAUD / 2u) / TM_CONSOLE_BAUD;
    USART_CR1 = CR1_UE_TE_RE;
}

void tm_console_write(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t tries = 0; !(USART_SR & SR_TXE) && tries < TX_TRIES; tries++) {
        }
        USART_DR = (uint8_t)bytes[i];
    }
}

int tm_console_read(void)
{
    return USART_SR & SR_RXNE ? (int)(USART_DR & 0xFFu) : -1;
}

void tm_trigger_init(void)
{
#ifdef TM_TRIGGER_BIT
    RCC_AHB1ENR |= 1u << TM_TRIGGER_PORT;
    (void)RCC_AHB1ENR;
    tm_trigger_set(0);
    GPIO_OSPEEDR(TM_TRIGGER_PORT) |= 2u << (2u * TM_TRIGGER_BIT);
    uint32_t moder = GPIO_MODER(TM_TRIGGER_PORT) & ~(3u << (2u * TM_TRIGGER_BIT));
    GPIO_MODER(TM_TRIGGER_PORT) = moder | 1u << (2u * TM_TRIGGER_BIT); /* output */
#endif
}

void tm_trigger_set(int high)
{
#ifdef TM_TRIGGER_BIT
    GPIO_BSRR(TM_TRIGGER_PORT) = 1u << (TM_TRIGGER_BIT + (high ? 0u : 16u));
#else
    (void)high;
#endif
}
