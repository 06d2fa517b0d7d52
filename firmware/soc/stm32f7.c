/* STM32F76x and F77x (RM0410): HSE to 216 MHz with over-drive, USART3, trigger on any GPIO.
 *
 * Code runs from flash at 0x08000000 through the core's caches, which port/startup.c enables; the
 * flash accelerator (ART) serves the ITCM alias only and stays off. Where the clock does not start
 * the core stays on HSI, 16 MHz, and the status says why.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"

#define STM32_GPIO_BASE 0x40020000u
#define STM32_GPIO_ENR RCC_AHB1ENR
#define RCC_AHB1ENR REGISTER(0x40023830u)
#include "tm_stm32.h"

#if TM_OSCILLATOR_HZ % 2000000 || TM_CLOCK_HZ % 1000000 || TM_CLOCK_HZ > 216000000
#error "stm32f7: the oscillator must be a multiple of 2 MHz, the clock one of 1 MHz up to 216 MHz"
#endif
#if TM_CONSOLE_BASE != 0x40004800
#error "stm32f7: the console is USART3 at 0x40004800"
#endif

#define RCC_CR REGISTER(0x40023800u)
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_CFGR REGISTER(0x40023808u)
#define RCC_APB1ENR REGISTER(0x40023840u)
#define PWR_CR1 REGISTER(0x40007000u)
#define PWR_CSR1 REGISTER(0x40007004u)
#define FLASH_ACR REGISTER(0x40023C00u)

#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_HSEBYP (1u << 18)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
/* HSE / M = 2 MHz, * N = twice the core clock, / P 2; Q keeps its unused output at 48 MHz. */
#define RCC_PLLCFGR_PLLM_TO_2MHZ (TM_OSCILLATOR_HZ / 2000000u << 0)
#define RCC_PLLCFGR_PLLN_CLOCK (TM_CLOCK_HZ / 1000000u << 6)
#define RCC_PLLCFGR_PLLSRC_HSE (1u << 22)
#define RCC_PLLCFGR_PLLQ_DIV9 (9u << 24)
#define RCC_CFGR_SW (3u << 0)
#define RCC_CFGR_SW_PLL (2u << 0)
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_PPRE1 (7u << 10)
#define RCC_CFGR_PPRE1_DIV4 (5u << 10)
#define RCC_CFGR_PPRE2 (7u << 13)
#define RCC_CFGR_PPRE2_DIV2 (4u << 13)
#define RCC_APB1ENR_USART3EN (1u << 18)
#define RCC_APB1ENR_PWREN (1u << 28)
#define PWR_CR1_VOS (3u << 14)
#define PWR_CR1_ODEN (1u << 16)
#define PWR_CR1_ODSWEN (1u << 17)
#define PWR_CSR1_VOSRDY (1u << 14)
#define PWR_CSR1_ODRDY (1u << 16)
#define PWR_CSR1_ODSWRDY (1u << 17)
#define FLASH_ACR_LATENCY (15u << 0)
#define FLASH_ACR_LATENCY_7WS (7u << 0)

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

/* Between PLL and switch (RM0410, 4.1.4). */
static int over_drive(void)
{
    PWR_CR1 |= PWR_CR1_ODEN;
    if (!ready(&PWR_CSR1, PWR_CSR1_ODRDY)) {
        return 0;
    }
    PWR_CR1 |= PWR_CR1_ODSWEN;
    return ready(&PWR_CSR1, PWR_CSR1_ODSWRDY);
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
    (void)RCC_APB1ENR;
    PWR_CR1 |= PWR_CR1_VOS;
    RCC_PLLCFGR = RCC_PLLCFGR_PLLM_TO_2MHZ | RCC_PLLCFGR_PLLN_CLOCK | RCC_PLLCFGR_PLLSRC_HSE |
                  RCC_PLLCFGR_PLLQ_DIV9;
    RCC_CR |= RCC_CR_PLLON;
    if (!ready(&RCC_CR, RCC_CR_PLLRDY)) {
        return stay_on_hsi("pll_timeout");
    }
    if (!over_drive()) {
        return stay_on_hsi("overdrive_timeout");
    }
    if (!ready(&PWR_CSR1, PWR_CSR1_VOSRDY)) { /* only while the PLL is on */
        return stay_on_hsi("vos_timeout");
    }
    FLASH_ACR = FLASH_ACR_LATENCY_7WS;
    if (!tm_wait(&FLASH_ACR, FLASH_ACR_LATENCY, FLASH_ACR_LATENCY_7WS, READY_TRIES)) {
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
    RCC_APB1ENR |= RCC_APB1ENR_USART3EN;
    stm32_uart_pins();
    stm32_usart_init(tm_rounded(apb1_hz, TM_CONSOLE_BAUD));
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
