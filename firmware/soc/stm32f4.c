/* STM32F405/407 (RM0090) at up to 168 MHz and STM32F446 (RM0390) at up to 180 MHz, from HSE.
 *
 * Where oscillator, voltage or PLL do not start, the core stays on HSI, 16 MHz, and the status
 * says why. QEMU has no RCC, so the same image takes that path there.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"
#include "tm_sleep.h"

#define STM32_OLD_USART
#define STM32_GPIO_BASE 0x40020000u
#define STM32_GPIO_ENR RCC_AHB1ENR
#define RCC_AHB1ENR REGISTER(0x40023830u)
#include "tm_stm32.h"

#if TM_OSCILLATOR_HZ % 2000000 || TM_CLOCK_HZ % 1000000 || TM_CLOCK_HZ > 180000000
#error "stm32f4: the oscillator must be a multiple of 2 MHz, the clock one of 1 MHz up to 180 MHz"
#endif
#if TM_CONSOLE_BASE != 0x40004400
#error "stm32f4: the console is USART2 at 0x40004400"
#endif

#define RCC_CR REGISTER(0x40023800u)
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_CFGR REGISTER(0x40023808u)
#define RCC_APB1ENR REGISTER(0x40023840u)
#define PWR_CR REGISTER(0x40007000u)
#define PWR_CSR REGISTER(0x40007004u)
#define FLASH_ACR REGISTER(0x40023C00u)
#define USART_SR REGISTER(TM_CONSOLE_BASE + 0x00u)
#define USART_DR REGISTER(TM_CONSOLE_BASE + 0x04u)
#define USART_BRR REGISTER(TM_CONSOLE_BASE + 0x08u)
#define USART_CR1 REGISTER(TM_CONSOLE_BASE + 0x0Cu)

#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_HSEBYP (1u << 18)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
/* HSE / M = 2 MHz, * N = twice the core clock, / P 2; Q, unused, keeps its output below 48 MHz. */
#define RCC_PLLCFGR_PLLM_TO_2MHZ (TM_OSCILLATOR_HZ / 2000000u << 0)
#define RCC_PLLCFGR_PLLN_CLOCK (TM_CLOCK_HZ / 1000000u << 6)
#define RCC_PLLCFGR_PLLSRC_HSE (1u << 22)
#define RCC_PLLCFGR_PLLQ_DIV8 (8u << 24)
#define RCC_CFGR_SW (3u << 0)
#define RCC_CFGR_SW_PLL (2u << 0)
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_PPRE1 (7u << 10)
#define RCC_CFGR_PPRE1_DIV4 (5u << 10)
#define RCC_CFGR_PPRE2 (7u << 13)
#define RCC_CFGR_PPRE2_DIV2 (4u << 13)
#define RCC_APB1ENR_USART2EN (1u << 17)
#define RCC_APB1ENR_PWREN (1u << 28)
#define PWR_CSR_VOSRDY (1u << 14)
#define FLASH_ACR_LATENCY (7u << 0)
#define FLASH_ACR_LATENCY_5WS (5u << 0)
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ICEN (1u << 9)
#define FLASH_ACR_DCEN (1u << 10)
#define USART_SR_RXNE (1u << 5)
#define USART_SR_TXE (1u << 7)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_RXNEIE (1u << 5)
#define USART_CR1_UE (1u << 13)

#if TM_CLOCK_HZ > 168000000
#define OVER_DRIVE 1
#define PWR_CR_VOS (3u << 14)
#define PWR_CR_ODEN (1u << 16)
#define PWR_CR_ODSWEN (1u << 17)
#define PWR_CSR_ODRDY (1u << 16)
#define PWR_CSR_ODSWRDY (1u << 17)
#else
#define OVER_DRIVE 0
#define PWR_CR_VOS (1u << 14) /* the F405 has one bit; it is the F446's lower one */
#endif

#define APB1_DIVIDER 4u /* PPRE1 */
#define HSI_HZ 16000000u
#define READY_TRIES 50000u /* over 15 ms at 16 MHz, where a crystal needs about 2 ms */

static int ready(volatile uint32_t *reg, uint32_t mask)
{
    return tm_wait(reg, mask, mask, READY_TRIES);
}

static struct tm_clock stay_on_hsi(const char *status)
{
    RCC_CFGR &= ~(RCC_CFGR_SW | RCC_CFGR_PPRE1 | RCC_CFGR_PPRE2);
    RCC_CR &= ~(RCC_CR_PLLON | RCC_CR_HSEON);
    return (struct tm_clock){HSI_HZ, status};
}

/* For more than 168 MHz, between PLL and switch (RM0390, 5.1.3). */
static int over_drive(void)
{
#if OVER_DRIVE
    PWR_CR |= PWR_CR_ODEN;
    if (!ready(&PWR_CSR, PWR_CSR_ODRDY)) {
        return 0;
    }
    PWR_CR |= PWR_CR_ODSWEN;
    return ready(&PWR_CSR, PWR_CSR_ODSWRDY);
#else
    return 1;
#endif
}

struct tm_clock tm_clock_init(void)
{
#ifdef TM_OSCILLATOR_EXTERNAL
    RCC_CR |= RCC_CR_HSEBYP;
#endif
    RCC_CR |= RCC_CR_HSEON;
    if (!ready(&RCC_CR, RCC_CR_HSERDY)) {
        return stay_on_hsi("hse_timeout");
    }
    RCC_APB1ENR |= RCC_APB1ENR_PWREN;
    (void)RCC_APB1ENR; /* two clocks until the peripheral answers */
    PWR_CR |= PWR_CR_VOS;
    RCC_PLLCFGR = RCC_PLLCFGR_PLLM_TO_2MHZ | RCC_PLLCFGR_PLLN_CLOCK | RCC_PLLCFGR_PLLSRC_HSE |
                  RCC_PLLCFGR_PLLQ_DIV8;
    RCC_CR |= RCC_CR_PLLON;
    if (!ready(&RCC_CR, RCC_CR_PLLRDY)) {
        return stay_on_hsi("pll_timeout");
    }
    if (!over_drive()) {
        return stay_on_hsi("overdrive_timeout");
    }
    if (!ready(&PWR_CSR, PWR_CSR_VOSRDY)) { /* only while the PLL is on */
        return stay_on_hsi("vos_timeout");
    }
    FLASH_ACR = FLASH_ACR_LATENCY_5WS | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    if (!tm_wait(&FLASH_ACR, FLASH_ACR_LATENCY, FLASH_ACR_LATENCY_5WS, READY_TRIES)) {
        return stay_on_hsi("flash_timeout");
    }
    RCC_CFGR |= RCC_CFGR_PPRE1_DIV4 | RCC_CFGR_PPRE2_DIV2;
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW) | RCC_CFGR_SW_PLL;
    if (!tm_wait(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL, READY_TRIES)) {
        return stay_on_hsi("switch_timeout");
    }
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
    uint32_t apb1_hz = clock_hz == TM_CLOCK_HZ ? clock_hz / APB1_DIVIDER : clock_hz;
    RCC_APB1ENR |= RCC_APB1ENR_USART2EN;
    stm32_uart_pins();
    USART_BRR = tm_rounded(apb1_hz, TM_CONSOLE_BAUD);
    USART_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
#ifdef TM_CONSOLE_IRQ
    USART_CR1 |= USART_CR1_RXNEIE;
#endif
}

void tm_console_write(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tm_wait(&USART_SR, USART_SR_TXE, USART_SR_TXE, STM32_TX_TRIES);
        USART_DR = (uint8_t)bytes[i];
    }
}

int tm_console_read(void)
{
    return USART_SR & USART_SR_RXNE ? (int)(uint8_t)USART_DR : -1; /* clears an overrun too */
}

#ifdef TM_CONSOLE_IRQ
static int waiting(void)
{
    return (USART_SR & USART_SR_RXNE) != 0;
}

/* In an emulator: it has no DWT. On a chip, CYCCNT would stand still in sleep, and idle power would
 * be another than that of an inference's core. */
void tm_console_wait(void)
{
    if (tm_counter_goes_on_in_sleep()) {
        tm_sleep_unless(waiting);
    }
}
#endif

void tm_trigger_init(void)
{
    stm32_trigger_init();
}

void tm_trigger_set(int high)
{
    stm32_trigger_set(high);
}
