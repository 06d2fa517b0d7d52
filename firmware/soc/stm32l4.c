/* STM32L47x (RM0351) to 80 MHz and L4R/L4S (RM0432) to 120 MHz, from MSI at its 4 MHz after reset.
 *
 * The console is USART2 or LPUART1. Where voltage or PLL do not start, the core stays on MSI and
 * the status says why.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"

#define STM32_GPIO_BASE 0x48000000u
#define STM32_GPIO_ENR RCC_AHB2ENR
#define RCC_AHB2ENR REGISTER(0x4002104Cu)
#include "tm_stm32.h"

#if TM_OSCILLATOR_HZ != 4000000 || TM_CLOCK_HZ % 2000000 || TM_CLOCK_HZ > 120000000
#error "stm32l4: the PLL is set for multiples of 2 MHz, up to 120 MHz, from MSI at 4 MHz"
#endif

#define RCC_CR REGISTER(0x40021000u)
#define RCC_CFGR REGISTER(0x40021008u)
#define RCC_PLLCFGR REGISTER(0x4002100Cu)
#define RCC_APB1ENR1 REGISTER(0x40021058u)
#define PWR_CR1 REGISTER(0x40007000u)
#define PWR_CR2 REGISTER(0x40007004u)
#define PWR_SR2 REGISTER(0x40007014u)
#define FLASH_ACR REGISTER(0x40022000u)

#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR_SW (3u << 0)
#define RCC_CFGR_SW_PLL (3u << 0)
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (3u << 2)
#define RCC_CFGR_HPRE (15u << 4)
#define RCC_CFGR_HPRE_DIV2 (8u << 4)
/* MSI 4 MHz / M 1 * N = twice the core clock, / R 2 */
#define RCC_PLLCFGR_PLLSRC_MSI (1u << 0)
#define RCC_PLLCFGR_PLLN_CLOCK (TM_CLOCK_HZ / 2000000u << 8)
#define RCC_PLLCFGR_PLLREN (1u << 24)
#define RCC_APB1ENR1_PWREN (1u << 28)
#define PWR_CR1_VOS (3u << 9)
#define PWR_CR1_VOS_RANGE1 (1u << 9)
#define PWR_SR2_VOSF (1u << 10)
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ICEN (1u << 9)
#define FLASH_ACR_DCEN (1u << 10)

#if TM_CLOCK_HZ > 80000000
#define BOOST 1
#define PWR_CR5 REGISTER(0x40007080u)
#define PWR_CR5_R1MODE (1u << 8)
#define FLASH_ACR_LATENCY (15u << 0)
#define FLASH_ACR_LATENCY_MOST (5u << 0)
#else
#define BOOST 0
#define FLASH_ACR_LATENCY (7u << 0)
#define FLASH_ACR_LATENCY_MOST (4u << 0)
#endif

#if TM_CONSOLE_BASE == 0x40004400 /* USART2 */
#define RCC_APB1ENR1_USART2EN (1u << 17)
#define UART_CLOCKS_PER_DIVIDER 1u
#elif TM_CONSOLE_BASE == 0x40008000 /* LPUART1: its divider counts 256ths of a clock */
#define RCC_APB1ENR2 REGISTER(0x4002105Cu)
#define RCC_APB1ENR2_LPUART1EN (1u << 0)
#define UART_CLOCKS_PER_DIVIDER 256u
#else
#error "stm32l4: the console is USART2 at 0x40004400 or LPUART1 at 0x40008000"
#endif

#if TM_CONSOLE_TX_PORT == 6 || TM_TRIGGER_PORT == 6
#define USES_PORT_G 1
#define PWR_CR2_IOSV (1u << 9)
#else
#define USES_PORT_G 0
#endif

#define MSI_HZ 4000000u
#define HALVED_CYCLES 120u /* 1 us at 120 MHz */
#define READY_TRIES 20000u /* over 25 ms at 4 MHz */

static int ready(volatile uint32_t *reg, uint32_t mask)
{
    return tm_wait(reg, mask, mask, READY_TRIES);
}

static struct tm_clock stay_on_msi(const char *status)
{
    RCC_CFGR &= ~(RCC_CFGR_SW | RCC_CFGR_HPRE);
    RCC_CR &= ~RCC_CR_PLLON;
    return (struct tm_clock){MSI_HZ, status};
}

/* Above 80 MHz AHB is halved round the switch, for at least 1 us (RM0432, 5.1.6). */
static int switch_to_pll(void)
{
    if (BOOST) {
        RCC_CFGR |= RCC_CFGR_HPRE_DIV2;
    }
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW) | RCC_CFGR_SW_PLL;
    if (!tm_wait(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL, READY_TRIES)) {
        return 0;
    }
    if (BOOST) {
        for (uint32_t i = 0; i < HALVED_CYCLES; i++) {
            __asm volatile("nop");
        }
        RCC_CFGR &= ~RCC_CFGR_HPRE;
    }
    return 1;
}

struct tm_clock tm_clock_init(void)
{
    RCC_APB1ENR1 |= RCC_APB1ENR1_PWREN;
    (void)RCC_APB1ENR1;
    PWR_CR1 = (PWR_CR1 & ~PWR_CR1_VOS) | PWR_CR1_VOS_RANGE1;
    if (!tm_wait(&PWR_SR2, PWR_SR2_VOSF, 0, READY_TRIES)) {
        return stay_on_msi("vos_timeout");
    }
#if BOOST
    PWR_CR5 &= ~PWR_CR5_R1MODE;
#endif
    RCC_PLLCFGR = RCC_PLLCFGR_PLLSRC_MSI | RCC_PLLCFGR_PLLN_CLOCK | RCC_PLLCFGR_PLLREN;
    RCC_CR |= RCC_CR_PLLON;
    if (!ready(&RCC_CR, RCC_CR_PLLRDY)) {
        return stay_on_msi("pll_timeout");
    }
    FLASH_ACR = FLASH_ACR_LATENCY_MOST | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    if (!tm_wait(&FLASH_ACR, FLASH_ACR_LATENCY, FLASH_ACR_LATENCY_MOST, READY_TRIES)) {
        return stay_on_msi("flash_timeout");
    }
    if (!switch_to_pll()) {
        return stay_on_msi("switch_timeout");
    }
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
#ifdef RCC_APB1ENR2_LPUART1EN
    RCC_APB1ENR2 |= RCC_APB1ENR2_LPUART1EN;
#else
    RCC_APB1ENR1 |= RCC_APB1ENR1_USART2EN;
#endif
#if USES_PORT_G
    RCC_APB1ENR1 |= RCC_APB1ENR1_PWREN;
    (void)RCC_APB1ENR1;
    PWR_CR2 |= PWR_CR2_IOSV; /* PG2..15 have a supply of their own: say that it is there */
#endif
    stm32_uart_pins();
    /* The clock times UART_CLOCKS_PER_DIVIDER, over the baud rate, in 32 bits. */
    uint32_t whole = clock_hz / TM_CONSOLE_BAUD * UART_CLOCKS_PER_DIVIDER;
    uint32_t rest = clock_hz % TM_CONSOLE_BAUD * UART_CLOCKS_PER_DIVIDER;
    stm32_usart_init(whole + tm_rounded(rest, TM_CONSOLE_BAUD));
}

void tm_console_write(const char *bytes, uint32_t count)
{
    stm32_usart_write(bytes, count);
}

int tm_console_read(void)
{
    return stm32_usart_read();
}

void tm_trigger_init(void)
{
    stm32_trigger_init();
}

void tm_trigger_set(int high)
{
    stm32_trigger_set(high);
}
