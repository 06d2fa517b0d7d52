/* STM32H742/743/753 (RM0433): HSE to 480 MHz at VOS0, USART3, trigger on any GPIO.
 *
 * Only chips of revision V and later reach 480 MHz; older ones are run at 400 MHz and the status
 * says so. Where the clock does not start the core stays on HSI, 64 MHz. The caches are enabled by
 * port/startup.c.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"

#define STM32_GPIO_BASE 0x58020000u
#define STM32_GPIO_ENR RCC_AHB4ENR
#define RCC_AHB4ENR REGISTER(0x580244E0u)
#include "tm_stm32.h"

#if TM_OSCILLATOR_HZ % 4000000 || TM_CLOCK_HZ != 480000000
#error "stm32h7: the PLL is set for 480 MHz from an oscillator of a multiple of 4 MHz"
#endif
#if TM_CONSOLE_BASE != 0x40004800
#error "stm32h7: the console is USART3 at 0x40004800"
#endif

#define RCC_CR REGISTER(0x58024400u)
#define RCC_CFGR REGISTER(0x58024410u)
#define RCC_D1CFGR REGISTER(0x58024418u)
#define RCC_D2CFGR REGISTER(0x5802441Cu)
#define RCC_D3CFGR REGISTER(0x58024420u)
#define RCC_PLLCKSELR REGISTER(0x58024428u)
#define RCC_PLLCFGR REGISTER(0x5802442Cu)
#define RCC_PLL1DIVR REGISTER(0x58024430u)
#define RCC_AHB2ENR REGISTER(0x580244DCu)
#define RCC_APB1LENR REGISTER(0x580244E8u)
#define RCC_APB4ENR REGISTER(0x580244F4u)
#define PWR_CSR1 REGISTER(0x58024804u)
#define PWR_CR3 REGISTER(0x5802480Cu)
#define PWR_D3CR REGISTER(0x58024818u)
#define SYSCFG_PWRCR REGISTER(0x5800042Cu)
#define FLASH_ACR REGISTER(0x52002000u)
#define DBGMCU_IDCODE REGISTER(0x5C001000u)

#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_HSEBYP (1u << 18)
#define RCC_CR_PLL1ON (1u << 24)
#define RCC_CR_PLL1RDY (1u << 25)
#define RCC_CFGR_SW (7u << 0)
#define RCC_CFGR_SW_PLL1 (3u << 0)
#define RCC_CFGR_SWS (7u << 3)
#define RCC_CFGR_SWS_PLL1 (3u << 3)
#define RCC_D1CFGR_HPRE_DIV2 (8u << 0)
#define RCC_D1CFGR_D1PPRE_DIV2 (4u << 4)
#define RCC_D2CFGR_D2PPRE1_DIV2 (4u << 4)
#define RCC_D2CFGR_D2PPRE2_DIV2 (4u << 8)
#define RCC_D3CFGR_D3PPRE_DIV2 (4u << 4)
#define RCC_PLLCKSELR_PLLSRC_HSE (2u << 0)
#define RCC_PLLCKSELR_DIVM1_TO_4MHZ (TM_OSCILLATOR_HZ / 4000000u << 4)
#define RCC_PLLCFGR_PLL1RGE_4_TO_8MHZ (2u << 2)
#define RCC_PLLCFGR_DIVP1EN (1u << 16)
/* 4 MHz * N, / P 2: each register field holds one less; Q and R are unused. */
#define RCC_PLL1DIVR_N1_480MHZ (239u << 0)
#define RCC_PLL1DIVR_N1_400MHZ (199u << 0)
#define RCC_PLL1DIVR_P1_DIV2 (1u << 9)
#define RCC_PLL1DIVR_Q1_DIV8 (7u << 16)
#define RCC_PLL1DIVR_R1_DIV8 (7u << 24)
#define RCC_AHB2ENR_SRAM1EN (1u << 29)
#define RCC_AHB2ENR_SRAM2EN (1u << 30)
#define RCC_AHB2ENR_SRAM3EN (1u << 31)
#define RCC_APB1LENR_USART3EN (1u << 18)
#define RCC_APB4ENR_SYSCFGEN (1u << 1)
#define PWR_CSR1_ACTVOSRDY (1u << 13)
#define PWR_CR3_BYPASS (1u << 0)
#define PWR_CR3_LDOEN (1u << 1)
#define PWR_CR3_SCUEN (1u << 2)
#define PWR_D3CR_VOSRDY (1u << 13)
#define PWR_D3CR_VOS (3u << 14)
#define SYSCFG_PWRCR_ODEN (1u << 0)
#define FLASH_ACR_LATENCY (15u << 0)
#define FLASH_ACR_LATENCY_4WS (4u << 0)
#define FLASH_ACR_WRHIGHFREQ_185MHZ (2u << 4)
#define DBGMCU_IDCODE_REV_ID (0xFFFFu << 16)
#define DBGMCU_IDCODE_REV_ID_V (0x2003u << 16)

#define APB1_DIVIDER 4u /* HPRE 2, D2PPRE1 2 */
#define HSI_HZ 64000000u
#define OLD_REVISION_HZ 400000000u
#define READY_TRIES 100000u /* about 8 ms at 64 MHz; VOS and PLL take less than 1 ms */

static int ready(volatile uint32_t *reg, uint32_t mask)
{
    return tm_wait(reg, mask, mask, READY_TRIES);
}

static struct tm_clock stay_on_hsi(const char *status)
{
    RCC_CFGR &= ~RCC_CFGR_SW;
    RCC_D1CFGR = 0;
    RCC_D2CFGR = 0;
    RCC_D3CFGR = 0;
    RCC_CR &= ~(RCC_CR_PLL1ON | RCC_CR_HSEON);
    return (struct tm_clock){HSI_HZ, status};
}

/* The LDO supplies the core; VOS1 comes first, VOS0 on top of it (RM0433, 6.8.6). */
static int raise_voltage(int to_vos0)
{
    PWR_CR3 = (PWR_CR3 & ~(PWR_CR3_SCUEN | PWR_CR3_BYPASS)) | PWR_CR3_LDOEN; /* taken once */
    if (!ready(&PWR_CSR1, PWR_CSR1_ACTVOSRDY)) {
        return 0;
    }
    PWR_D3CR |= PWR_D3CR_VOS; /* 3: VOS1 */
    if (!ready(&PWR_D3CR, PWR_D3CR_VOSRDY)) {
        return 0;
    }
    if (!to_vos0) {
        return 1;
    }
    RCC_APB4ENR |= RCC_APB4ENR_SYSCFGEN;
    (void)RCC_APB4ENR;
    SYSCFG_PWRCR |= SYSCFG_PWRCR_ODEN;
    (void)SYSCFG_PWRCR;
    return ready(&PWR_D3CR, PWR_D3CR_VOSRDY);
}

struct tm_clock tm_clock_init(void)
{
    int new_chip = (DBGMCU_IDCODE & DBGMCU_IDCODE_REV_ID) >= DBGMCU_IDCODE_REV_ID_V;
    RCC_AHB2ENR |= RCC_AHB2ENR_SRAM1EN | RCC_AHB2ENR_SRAM2EN | RCC_AHB2ENR_SRAM3EN;
    if (!raise_voltage(new_chip)) {
        return stay_on_hsi("vos_timeout");
    }
#ifdef TM_OSCILLATOR_EXTERNAL
    RCC_CR |= RCC_CR_HSEBYP;
#endif
    RCC_CR |= RCC_CR_HSEON;
    if (!ready(&RCC_CR, RCC_CR_HSERDY)) {
        return stay_on_hsi("hse_timeout");
    }
    RCC_PLLCKSELR = RCC_PLLCKSELR_PLLSRC_HSE | RCC_PLLCKSELR_DIVM1_TO_4MHZ;
    RCC_PLLCFGR = RCC_PLLCFGR_PLL1RGE_4_TO_8MHZ | RCC_PLLCFGR_DIVP1EN; /* VCO: the wide range */
    RCC_PLL1DIVR = (new_chip ? RCC_PLL1DIVR_N1_480MHZ : RCC_PLL1DIVR_N1_400MHZ) |
                   RCC_PLL1DIVR_P1_DIV2 | RCC_PLL1DIVR_Q1_DIV8 | RCC_PLL1DIVR_R1_DIV8;
    RCC_CR |= RCC_CR_PLL1ON;
    if (!ready(&RCC_CR, RCC_CR_PLL1RDY)) {
        return stay_on_hsi("pll_timeout");
    }
    FLASH_ACR = FLASH_ACR_LATENCY_4WS | FLASH_ACR_WRHIGHFREQ_185MHZ;
    if (!tm_wait(&FLASH_ACR, FLASH_ACR_LATENCY, FLASH_ACR_LATENCY_4WS, READY_TRIES)) {
        return stay_on_hsi("flash_timeout");
    }
    RCC_D1CFGR = RCC_D1CFGR_HPRE_DIV2 | RCC_D1CFGR_D1PPRE_DIV2;
    RCC_D2CFGR = RCC_D2CFGR_D2PPRE1_DIV2 | RCC_D2CFGR_D2PPRE2_DIV2;
    RCC_D3CFGR = RCC_D3CFGR_D3PPRE_DIV2;
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW) | RCC_CFGR_SW_PLL1;
    if (!tm_wait(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL1, READY_TRIES)) {
        return stay_on_hsi("switch_timeout");
    }
    if (!new_chip) {
        return (struct tm_clock){OLD_REVISION_HZ, "old_revision"};
    }
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
    uint32_t apb1_hz = clock_hz == HSI_HZ ? clock_hz : clock_hz / APB1_DIVIDER;
    RCC_APB1LENR |= RCC_APB1LENR_USART3EN;
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
