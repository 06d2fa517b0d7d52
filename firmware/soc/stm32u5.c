/* STM32U575/585 (RM0456) without TrustZone: MSIS 4 MHz to 160 MHz, USART1, trigger on any GPIO.
 *
 * The LDO supplies the core. Where voltage, booster or PLL do not start, the core stays on MSIS,
 * 4 MHz, and the status says why.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"

#define STM32_GPIO_BASE 0x42020000u
#define STM32_GPIO_ENR RCC_AHB2ENR1
#define RCC_AHB2ENR1 REGISTER(0x46020C8Cu)
#include "tm_stm32.h"

#if TM_OSCILLATOR_HZ != 4000000 || TM_CLOCK_HZ != 160000000
#error "stm32u5: the PLL is set for 160 MHz from MSIS at 4 MHz"
#endif
#if TM_CONSOLE_BASE != 0x40013800
#error "stm32u5: the console is USART1 at 0x40013800"
#endif

#define RCC_CR REGISTER(0x46020C00u)
#define RCC_CFGR1 REGISTER(0x46020C1Cu)
#define RCC_PLL1CFGR REGISTER(0x46020C28u)
#define RCC_PLL1DIVR REGISTER(0x46020C34u)
#define RCC_AHB3ENR REGISTER(0x46020C94u)
#define RCC_APB2ENR REGISTER(0x46020CA4u)
#define PWR_VOSR REGISTER(0x4602080Cu)
#define FLASH_ACR REGISTER(0x40022000u)
#define ICACHE_CR REGISTER(0x40030400u)
#define ICACHE_SR REGISTER(0x40030404u)

#define RCC_CR_PLL1ON (1u << 24)
#define RCC_CR_PLL1RDY (1u << 25)
#define RCC_CFGR1_SW (3u << 0)
#define RCC_CFGR1_SW_PLL1 (3u << 0)
#define RCC_CFGR1_SWS (3u << 2)
#define RCC_CFGR1_SWS_PLL1 (3u << 2)
/* 4 MHz / M 1 * N 80 / R 2: each divider field holds one less; P and Q are unused. */
#define RCC_PLL1CFGR_PLL1SRC_MSIS (1u << 0)
#define RCC_PLL1CFGR_PLL1REN (1u << 18)
#define RCC_PLL1DIVR_PLL1N_MUL80 (79u << 0)
#define RCC_PLL1DIVR_PLL1P_DIV2 (1u << 9)
#define RCC_PLL1DIVR_PLL1Q_DIV2 (1u << 16)
#define RCC_PLL1DIVR_PLL1R_DIV2 (1u << 24)
#define RCC_AHB3ENR_PWREN (1u << 2)
#define RCC_APB2ENR_USART1EN (1u << 14)
#define PWR_VOSR_BOOSTRDY (1u << 14)
#define PWR_VOSR_VOSRDY (1u << 15)
#define PWR_VOSR_VOS_RANGE1 (3u << 16)
#define PWR_VOSR_BOOSTEN (1u << 18)
#define FLASH_ACR_LATENCY (15u << 0)
#define FLASH_ACR_LATENCY_4WS (4u << 0)
#define FLASH_ACR_PRFTEN (1u << 8)
#define ICACHE_CR_EN (1u << 0)
#define ICACHE_SR_BUSYF (1u << 0)

#define MSIS_HZ 4000000u
#define READY_TRIES 20000u /* over 25 ms at 4 MHz */

static int ready(volatile uint32_t *reg, uint32_t mask)
{
    return tm_wait(reg, mask, mask, READY_TRIES);
}

static struct tm_clock stay_on_msis(const char *status)
{
    RCC_CFGR1 &= ~RCC_CFGR1_SW;
    RCC_CR &= ~RCC_CR_PLL1ON;
    return (struct tm_clock){MSIS_HZ, status};
}

static int enable_instruction_cache(void)
{
    int idle = tm_wait(&ICACHE_SR, ICACHE_SR_BUSYF, 0, READY_TRIES); /* clears itself at reset */
    ICACHE_CR |= ICACHE_CR_EN;
    return idle;
}

struct tm_clock tm_clock_init(void)
{
    RCC_AHB3ENR |= RCC_AHB3ENR_PWREN;
    (void)RCC_AHB3ENR;
    PWR_VOSR |= PWR_VOSR_VOS_RANGE1;
    if (!ready(&PWR_VOSR, PWR_VOSR_VOSRDY)) {
        return stay_on_msis("vos_timeout");
    }
    RCC_PLL1CFGR = RCC_PLL1CFGR_PLL1SRC_MSIS | RCC_PLL1CFGR_PLL1REN; /* feeds the booster too */
    PWR_VOSR |= PWR_VOSR_BOOSTEN;
    if (!ready(&PWR_VOSR, PWR_VOSR_BOOSTRDY)) {
        return stay_on_msis("boost_timeout");
    }
    RCC_PLL1DIVR = RCC_PLL1DIVR_PLL1N_MUL80 | RCC_PLL1DIVR_PLL1P_DIV2 | RCC_PLL1DIVR_PLL1Q_DIV2 |
                   RCC_PLL1DIVR_PLL1R_DIV2;
    RCC_CR |= RCC_CR_PLL1ON;
    if (!ready(&RCC_CR, RCC_CR_PLL1RDY)) {
        return stay_on_msis("pll_timeout");
    }
    FLASH_ACR = FLASH_ACR_LATENCY_4WS | FLASH_ACR_PRFTEN;
    if (!tm_wait(&FLASH_ACR, FLASH_ACR_LATENCY, FLASH_ACR_LATENCY_4WS, READY_TRIES)) {
        return stay_on_msis("flash_timeout");
    }
    RCC_CFGR1 = (RCC_CFGR1 & ~RCC_CFGR1_SW) | RCC_CFGR1_SW_PLL1;
    if (!tm_wait(&RCC_CFGR1, RCC_CFGR1_SWS, RCC_CFGR1_SWS_PLL1, READY_TRIES)) {
        return stay_on_msis("switch_timeout");
    }
    return (struct tm_clock){TM_CLOCK_HZ, enable_instruction_cache() ? "ok" : "icache_timeout"};
}

void tm_console_init(uint32_t clock_hz)
{
    RCC_APB2ENR |= RCC_APB2ENR_USART1EN;
    stm32_uart_pins();
    stm32_usart_init(tm_rounded(clock_hz, TM_CONSOLE_BAUD));
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
