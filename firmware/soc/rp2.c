/* Raspberry Pi RP2040 and RP2350 (Arm cores, secure): 12 MHz crystal to the board's clock, UART0.
 *
 * The RP2040's boot ROM runs the first 256 bytes of flash, if their checksum is right, to set up
 * the flash interface; the RP2350's looks for an image definition and sets up the flash itself.
 * Both are here. Where crystal or PLL do not start, the core stays on what it has and the status
 * says so.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"
#include "tm_register.h"

#if TM_OSCILLATOR_HZ != 12000000
#error "rp2: the crystal has 12 MHz"
#endif

#if __ARM_ARCH == 6 /* RP2040 */
#define RP2040 1
#define CLOCKS_BASE 0x40008000u
#define CLOCKS_RESUS 0x78u
#define RESETS_BASE 0x4000C000u
#define RESET_IO_BANK0 5u
#define RESET_PADS_BANK0 8u
#define RESET_PLL_SYS 12u
#define RESET_UART0 22u
#define IO_BANK0_BASE 0x40014000u
#define PADS_BANK0_BASE 0x4001C000u
#define XOSC_BASE 0x40024000u
#define PLL_SYS_BASE 0x40028000u
#define UART0_BASE 0x40034000u
#define SIO_GPIO_IN REGISTER(0xD0000004u)
#define SIO_GPIO_OUT_SET REGISTER(0xD0000014u)
#define SIO_GPIO_OUT_CLR REGISTER(0xD0000018u)
#define SIO_GPIO_OE_SET REGISTER(0xD0000024u)
#define SIO_GPIO_OE_CLR REGISTER(0xD0000028u)
#else /* RP2350 */
#define RP2040 0
#define CLOCKS_BASE 0x40010000u
#define CLOCKS_RESUS 0x84u
#define RESETS_BASE 0x40020000u
#define RESET_IO_BANK0 6u
#define RESET_PADS_BANK0 9u
#define RESET_PLL_SYS 14u
#define RESET_UART0 26u
#define IO_BANK0_BASE 0x40028000u
#define PADS_BANK0_BASE 0x40038000u
#define XOSC_BASE 0x40048000u
#define PLL_SYS_BASE 0x40050000u
#define UART0_BASE 0x40070000u
#define SIO_GPIO_IN REGISTER(0xD0000004u)
#define SIO_GPIO_OUT_SET REGISTER(0xD0000018u)
#define SIO_GPIO_OUT_CLR REGISTER(0xD0000020u)
#define SIO_GPIO_OE_SET REGISTER(0xD0000038u)
#define SIO_GPIO_OE_CLR REGISTER(0xD0000040u)
#define PADS_BANK0_GPIO_ISO (1u << 8)
#endif

#define CLOCKS_CLK_REF_CTRL REGISTER(CLOCKS_BASE + 0x30u)
#define CLOCKS_CLK_REF_SELECTED REGISTER(CLOCKS_BASE + 0x38u)
#define CLOCKS_CLK_SYS_CTRL REGISTER(CLOCKS_BASE + 0x3Cu)
#define CLOCKS_CLK_SYS_SELECTED REGISTER(CLOCKS_BASE + 0x44u)
#define CLOCKS_CLK_PERI_CTRL REGISTER(CLOCKS_BASE + 0x48u)
#define CLOCKS_CLK_SYS_RESUS_CTRL REGISTER(CLOCKS_BASE + CLOCKS_RESUS)
#define RESETS_RESET REGISTER(RESETS_BASE + 0x0u)
#define RESETS_RESET_DONE REGISTER(RESETS_BASE + 0x8u)
#define XOSC_CTRL REGISTER(XOSC_BASE + 0x0u)
#define XOSC_STATUS REGISTER(XOSC_BASE + 0x4u)
#define XOSC_STARTUP REGISTER(XOSC_BASE + 0xCu)
#define PLL_SYS_CS REGISTER(PLL_SYS_BASE + 0x0u)
#define PLL_SYS_PWR REGISTER(PLL_SYS_BASE + 0x4u)
#define PLL_SYS_FBDIV_INT REGISTER(PLL_SYS_BASE + 0x8u)
#define PLL_SYS_PRIM REGISTER(PLL_SYS_BASE + 0xCu)
#define IO_BANK0_GPIO_CTRL(pin) REGISTER(IO_BANK0_BASE + 0x4u + 8u * (pin))
#define PADS_BANK0_GPIO(pin) REGISTER(PADS_BANK0_BASE + 0x4u + 4u * (pin))
#define UART_UARTDR REGISTER(TM_CONSOLE_BASE + 0x00u)
#define UART_UARTFR REGISTER(TM_CONSOLE_BASE + 0x18u)
#define UART_UARTIBRD REGISTER(TM_CONSOLE_BASE + 0x24u)
#define UART_UARTFBRD REGISTER(TM_CONSOLE_BASE + 0x28u)
#define UART_UARTLCR_H REGISTER(TM_CONSOLE_BASE + 0x2Cu)
#define UART_UARTCR REGISTER(TM_CONSOLE_BASE + 0x30u)

#define CLOCKS_CLK_REF_CTRL_SRC_XOSC (2u << 0)
#define CLOCKS_CLK_SYS_CTRL_SRC_AUX (1u << 0)
#define CLOCKS_CLK_SYS_CTRL_AUXSRC_PLL_SYS (0u << 5)
#define CLOCKS_CLK_REF_SELECTED_XOSC (1u << 2) /* one bit a source, by its number in SRC */
#define CLOCKS_CLK_SYS_SELECTED_REF (1u << 0)
#define CLOCKS_CLK_SYS_SELECTED_AUX (1u << 1)
#define CLOCKS_CLK_PERI_CTRL_AUXSRC_CLK_SYS (0u << 5)
#define CLOCKS_CLK_PERI_CTRL_ENABLE (1u << 11)
#define RESETS_RESET_IO_BANK0 (1u << RESET_IO_BANK0)
#define RESETS_RESET_PADS_BANK0 (1u << RESET_PADS_BANK0)
#define RESETS_RESET_PLL_SYS (1u << RESET_PLL_SYS)
#define RESETS_RESET_UART0 (1u << RESET_UART0)
#define XOSC_CTRL_FREQ_RANGE_1_15MHZ (0xAA0u << 0)
#define XOSC_CTRL_ENABLE_ENABLE (0xFABu << 12)
#define XOSC_STATUS_STABLE (1u << 31)
#define XOSC_STARTUP_DELAY_1MS (47u << 0) /* 1 ms of 12 MHz in units of 256 cycles */
#define PLL_SYS_CS_REFDIV_1 (1u << 0)
#define PLL_SYS_CS_LOCK (1u << 31)
#define PLL_SYS_PWR_PD (1u << 0)
#define PLL_SYS_PWR_DSMPD (1u << 2)
#define PLL_SYS_PWR_POSTDIVPD (1u << 3)
#define PLL_SYS_PWR_VCOPD (1u << 5)
#define IO_BANK0_GPIO_CTRL_FUNCSEL_SIO (5u << 0)
#define IO_BANK0_GPIO_CTRL_FUNCSEL_CONSOLE (TM_CONSOLE_FUNCTION << 0)
#define SIO_GPIO_OUT_SET_PIN(pin) (1u << (pin))
#define SIO_GPIO_OUT_CLR_PIN(pin) (1u << (pin))
#define SIO_GPIO_OE_SET_PIN(pin) (1u << (pin))
#define SIO_GPIO_OE_CLR_PIN(pin) (1u << (pin))
#define PADS_BANK0_GPIO_PDE (1u << 2)
#define PADS_BANK0_GPIO_PUE (1u << 3)
#define PADS_BANK0_GPIO_IE (1u << 6)
#define UART_UARTFR_RXFE (1u << 4)
#define UART_UARTFR_TXFF (1u << 5)
#define UART_UARTFBRD_BAUD_DIVFRAC (63u << 0)
#define UART_UARTLCR_H_FEN (1u << 4)
#define UART_UARTLCR_H_WLEN_8BIT (3u << 5)
#define UART_UARTCR_UARTEN (1u << 0)
#define UART_UARTCR_TXE (1u << 8)
#define UART_UARTCR_RXE (1u << 9)

/* 12 MHz * FBDIV = 750..1600 MHz, / POSTDIV1 / POSTDIV2 = the board's clock. */
#if TM_CLOCK_HZ == 125000000
#define PLL_SYS_FBDIV_INT_FBDIV_INT_MUL (125u << 0)
#define PLL_SYS_PRIM_POSTDIV1_DIV (6u << 16)
#elif TM_CLOCK_HZ == 133000000
#define PLL_SYS_FBDIV_INT_FBDIV_INT_MUL (133u << 0)
#define PLL_SYS_PRIM_POSTDIV1_DIV (6u << 16)
#elif TM_CLOCK_HZ == 150000000
#define PLL_SYS_FBDIV_INT_FBDIV_INT_MUL (125u << 0)
#define PLL_SYS_PRIM_POSTDIV1_DIV (5u << 16)
#else
#error "rp2: the PLL knows 125, 133 and 150 MHz"
#endif
#define PLL_SYS_PRIM_POSTDIV2_DIV2 (2u << 12)

#define ROSC_HZ 6500000u /* as the data sheets give it; chips differ widely */
#define OVERSAMPLING 16u
#define DIVIDER_STEPS 64u
#define READY_TRIES 100000u
#define TX_TRIES 1000000u

#if RP2040
/* Boot stage 2: the ROM copies it to RAM and calls it there. It sets up the flash (W25Q16JV, or
 * another that answers command EBh) for quad reads of 4 + 8 + 4 + 8 clocks without a command byte,
 * at half the core clock, and starts the program. Its last word is the CRC-32 (polynomial
 * 04C11DB7, not reflected, from FFFFFFFF) of the other 252 bytes; tests/test_boards.py says what it
 * has to be after a change. Registers: SSI (18000000), PADS_QSPI (40020000), VTOR (E000ED08). */
__asm(
    ".pushsection .boot, \"ax\"        \n"
    ".syntax unified                   \n"
    ".thumb                            \n"
    ".balign 256                       \n"
    "boot2:                            \n"
    "ldr r3, 10f                       \n" /* PADS_QSPI */
    "movs r0, #0x21                    \n"
    "str r0, [r3, #0x04]               \n" /* GPIO_QSPI_SCLK: 8 mA, SLEWFAST */
    "ldr r0, [r3, #0x08]               \n"
    "movs r1, #2                       \n"
    "bics r0, r0, r1                   \n" /* GPIO_QSPI_SD0..3: no SCHMITT */
    "str r0, [r3, #0x08]               \n"
    "str r0, [r3, #0x0C]               \n"
    "str r0, [r3, #0x10]               \n"
    "str r0, [r3, #0x14]               \n"
    "ldr r3, 11f                       \n" /* SSI */
    "movs r0, #0                       \n"
    "str r0, [r3, #0x08]               \n" /* SSIENR */
    "str r0, [r3, #0x04]               \n" /* CTRLR1: one word a transfer */
    "movs r0, #2                       \n"
    "str r0, [r3, #0x14]               \n" /* BAUDR */
    "movs r0, #1                       \n"
    "movs r1, #0xF0                    \n"
    "str r0, [r3, r1]                  \n" /* RX_SAMPLE_DLY */
    "ldr r0, 12f                       \n"
    "str r0, [r3]                      \n" /* CTRLR0: SPI_FRF quad, DFS_32 31, TMOD EEPROM read */
    "ldr r0, 13f                       \n"
    "movs r1, #0xF4                    \n"
    "str r0, [r3, r1]                  \n" /* SPI_CTRLR0: 8-bit command, then quad */
    "movs r0, #1                       \n"
    "str r0, [r3, #0x08]               \n"
    "movs r0, #0xEB                    \n"
    "str r0, [r3, #0x60]               \n" /* DR0: the command */
    "movs r0, #0xA0                    \n"
    "str r0, [r3, #0x60]               \n" /* DR0: address 0, mode A0h: no command from now on */
    "ldr r2, 14f                       \n"
    "1: ldr r0, [r3, #0x28]            \n" /* SR: until TFE and not BUSY */
    "movs r1, #5                       \n"
    "ands r0, r0, r1                   \n"
    "cmp r0, #4                        \n"
    "beq 2f                            \n"
    "subs r2, r2, #1                   \n"
    "bne 1b                            \n"
    "2: movs r0, #0                    \n"
    "str r0, [r3, #0x08]               \n"
    "ldr r0, 15f                       \n"
    "movs r1, #0xF4                    \n"
    "str r0, [r3, r1]                  \n" /* SPI_CTRLR0: XIP_CMD A0h behind the address */
    "movs r0, #1                       \n"
    "str r0, [r3, #0x08]               \n"
    "ldr r0, 16f                       \n" /* the vectors, behind this block */
    "ldr r1, 17f                       \n"
    "str r0, [r1]                      \n"
    "ldr r1, [r0]                      \n"
    "msr msp, r1                       \n"
    "ldr r0, [r0, #4]                  \n"
    "bx r0                             \n"
    ".balign 4                         \n"
    "10: .word 0x40020000              \n"
    "11: .word 0x18000000              \n"
    "12: .word 2 << 21 | 31 << 16 | 3 << 8                   \n"
    "13: .word 8 << 2 | 4 << 11 | 2 << 8 | 1                 \n"
    "14: .word 1 << 20                 \n"
    "15: .word 0xA0 << 24 | 8 << 2 | 4 << 11 | 0 << 8 | 2    \n"
    "16: .word 0x10000100              \n"
    "17: .word 0xE000ED08              \n"
    ".org boot2 + 252                  \n"
    ".word 0xB4DDD9AF                  \n"
    ".popsection                       \n");
#else
/* A block that says: an executable for the RP2350's Arm cores, secure. It is the only one, so it
 * links to itself; the vector table at the start of flash is where the ROM expects it. An item has
 * its type in the lowest byte, then its words, then what it says (RP2350 datasheet, 5.9). */
#define BLOCK_START 0xFFFFDED3u
#define BLOCK_END 0xAB123579u
#define ITEM_IMAGE_TYPE (0x42u | 1u << 8)
#define ITEM_IMAGE_TYPE_EXE (1u << 16)
#define ITEM_IMAGE_TYPE_SECURE (2u << 20)
#define ITEM_IMAGE_TYPE_ARM (0u << 24)
#define ITEM_IMAGE_TYPE_RP2350 (1u << 28)
#define ITEM_LAST (0xFFu | 1u << 8) /* one word came before it */
#define BLOCK_IS_ALONE 0u           /* offset of the next block */

__attribute__((section(".boot_block"), used)) static const uint32_t image_definition[] = {
    BLOCK_START,
    ITEM_IMAGE_TYPE | ITEM_IMAGE_TYPE_EXE | ITEM_IMAGE_TYPE_SECURE | ITEM_IMAGE_TYPE_ARM |
        ITEM_IMAGE_TYPE_RP2350,
    ITEM_LAST,
    BLOCK_IS_ALONE,
    BLOCK_END,
};
#endif

static int ready(volatile uint32_t *reg, uint32_t mask)
{
    return tm_wait(reg, mask, mask, READY_TRIES);
}

static int leave_reset(uint32_t blocks)
{
    RESETS_RESET &= ~blocks;
    return ready(&RESETS_RESET_DONE, blocks);
}

/* PLL_SYS, which drives nothing meanwhile. */
static int start_pll(void)
{
    RESETS_RESET |= RESETS_RESET_PLL_SYS;
    if (!leave_reset(RESETS_RESET_PLL_SYS)) {
        return 0;
    }
    PLL_SYS_CS = PLL_SYS_CS_REFDIV_1;
    PLL_SYS_FBDIV_INT = PLL_SYS_FBDIV_INT_FBDIV_INT_MUL;
    PLL_SYS_PWR = PLL_SYS_PWR_DSMPD | PLL_SYS_PWR_POSTDIVPD; /* PD and VCOPD off */
    if (!ready(&PLL_SYS_CS, PLL_SYS_CS_LOCK)) {
        return 0;
    }
    PLL_SYS_PRIM = PLL_SYS_PRIM_POSTDIV1_DIV | PLL_SYS_PRIM_POSTDIV2_DIV2;
    PLL_SYS_PWR = PLL_SYS_PWR_DSMPD;
    return 1;
}

struct tm_clock tm_clock_init(void)
{
    CLOCKS_CLK_SYS_RESUS_CTRL = 0;
    CLOCKS_CLK_SYS_CTRL &= ~CLOCKS_CLK_SYS_CTRL_SRC_AUX; /* from clk_ref */
    if (!ready(&CLOCKS_CLK_SYS_SELECTED, CLOCKS_CLK_SYS_SELECTED_REF)) {
        return (struct tm_clock){ROSC_HZ, "switch_timeout"};
    }
    XOSC_STARTUP = XOSC_STARTUP_DELAY_1MS;
    XOSC_CTRL = XOSC_CTRL_FREQ_RANGE_1_15MHZ | XOSC_CTRL_ENABLE_ENABLE;
    if (!ready(&XOSC_STATUS, XOSC_STATUS_STABLE)) {
        return (struct tm_clock){ROSC_HZ, "xosc_timeout"};
    }
    CLOCKS_CLK_REF_CTRL = CLOCKS_CLK_REF_CTRL_SRC_XOSC;
    if (!ready(&CLOCKS_CLK_REF_SELECTED, CLOCKS_CLK_REF_SELECTED_XOSC)) {
        return (struct tm_clock){ROSC_HZ, "switch_timeout"};
    }
    if (!start_pll()) {
        return (struct tm_clock){TM_OSCILLATOR_HZ, "pll_timeout"};
    }
    CLOCKS_CLK_SYS_CTRL = CLOCKS_CLK_SYS_CTRL_AUXSRC_PLL_SYS; /* before the switch to it */
    CLOCKS_CLK_SYS_CTRL = CLOCKS_CLK_SYS_CTRL_AUXSRC_PLL_SYS | CLOCKS_CLK_SYS_CTRL_SRC_AUX;
    if (!ready(&CLOCKS_CLK_SYS_SELECTED, CLOCKS_CLK_SYS_SELECTED_AUX)) {
        return (struct tm_clock){TM_OSCILLATOR_HZ, "switch_timeout"};
    }
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

static void pin_function(uint32_t pin, uint32_t function, uint32_t pad)
{
#if !RP2040
    pad &= ~PADS_BANK0_GPIO_ISO; /* pads are isolated from reset on until they are set up */
#endif
    PADS_BANK0_GPIO(pin) = pad;
    IO_BANK0_GPIO_CTRL(pin) = function;
}

void tm_console_init(uint32_t clock_hz)
{
    CLOCKS_CLK_PERI_CTRL = CLOCKS_CLK_PERI_CTRL_AUXSRC_CLK_SYS | CLOCKS_CLK_PERI_CTRL_ENABLE;
    leave_reset(RESETS_RESET_IO_BANK0 | RESETS_RESET_PADS_BANK0 | RESETS_RESET_UART0);
    uint32_t pad = PADS_BANK0_GPIO_IE | PADS_BANK0_GPIO_PUE;
    pin_function(TM_CONSOLE_TX_BIT, IO_BANK0_GPIO_CTRL_FUNCSEL_CONSOLE, pad);
    pin_function(TM_CONSOLE_RX_BIT, IO_BANK0_GPIO_CTRL_FUNCSEL_CONSOLE, pad);
    /* clock / (16 * baud) in 64ths */
    uint32_t scaled = clock_hz * (DIVIDER_STEPS / OVERSAMPLING);
    uint32_t divider = tm_rounded(scaled, TM_CONSOLE_BAUD);
    UART_UARTIBRD = divider / DIVIDER_STEPS;
    UART_UARTFBRD = divider & UART_UARTFBRD_BAUD_DIVFRAC;
    UART_UARTLCR_H = UART_UARTLCR_H_WLEN_8BIT | UART_UARTLCR_H_FEN; /* takes the dividers over */
    UART_UARTCR = UART_UARTCR_UARTEN | UART_UARTCR_TXE | UART_UARTCR_RXE;
}

void tm_console_write(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tm_wait(&UART_UARTFR, UART_UARTFR_TXFF, 0, TX_TRIES);
        UART_UARTDR = (uint8_t)bytes[i];
    }
}

int tm_console_read(void)
{
    return UART_UARTFR & UART_UARTFR_RXFE ? -1 : (int)(uint8_t)UART_UARTDR;
}

void tm_trigger_init(void)
{
#ifdef TM_TRIGGER_BIT
    leave_reset(RESETS_RESET_IO_BANK0 | RESETS_RESET_PADS_BANK0);
    SIO_GPIO_OUT_CLR = SIO_GPIO_OUT_CLR_PIN(TM_TRIGGER_BIT);
    SIO_GPIO_OE_SET = SIO_GPIO_OE_SET_PIN(TM_TRIGGER_BIT);
    pin_function(TM_TRIGGER_BIT, IO_BANK0_GPIO_CTRL_FUNCSEL_SIO, PADS_BANK0_GPIO_IE);
#endif
}

void tm_trigger_set(int high)
{
#ifdef TM_TRIGGER_BIT
    if (high) {
        SIO_GPIO_OUT_SET = SIO_GPIO_OUT_SET_PIN(TM_TRIGGER_BIT);
    } else {
        SIO_GPIO_OUT_CLR = SIO_GPIO_OUT_CLR_PIN(TM_TRIGGER_BIT);
    }
#else
    (void)high;
#endif
}

void tm_trigger_listen(void)
{
#ifdef TM_TRIGGER_BIT
    leave_reset(RESETS_RESET_IO_BANK0 | RESETS_RESET_PADS_BANK0);
    SIO_GPIO_OE_CLR = SIO_GPIO_OE_CLR_PIN(TM_TRIGGER_BIT);
    pin_function(TM_TRIGGER_BIT, IO_BANK0_GPIO_CTRL_FUNCSEL_SIO,
                 PADS_BANK0_GPIO_IE | PADS_BANK0_GPIO_PDE);
#endif
}

int tm_trigger_read(void)
{
#ifdef TM_TRIGGER_BIT
    return (int)(SIO_GPIO_IN >> TM_TRIGGER_BIT & 1u);
#else
    return 0;
#endif
}

#ifdef TM_I2C_SDA_BIT
/* The output is low from the start: as an output the pin pulls the line down, as an input it lets
 * go of it. */
void tm_i2c_lines_init(void)
{
    leave_reset(RESETS_RESET_IO_BANK0 | RESETS_RESET_PADS_BANK0);
    SIO_GPIO_OE_CLR = SIO_GPIO_OE_CLR_PIN(TM_I2C_SCL_BIT) | SIO_GPIO_OE_CLR_PIN(TM_I2C_SDA_BIT);
    SIO_GPIO_OUT_CLR = SIO_GPIO_OUT_CLR_PIN(TM_I2C_SCL_BIT) | SIO_GPIO_OUT_CLR_PIN(TM_I2C_SDA_BIT);
    uint32_t pad = PADS_BANK0_GPIO_IE | PADS_BANK0_GPIO_PUE;
    pin_function(TM_I2C_SCL_BIT, IO_BANK0_GPIO_CTRL_FUNCSEL_SIO, pad);
    pin_function(TM_I2C_SDA_BIT, IO_BANK0_GPIO_CTRL_FUNCSEL_SIO, pad);
}

void tm_i2c_line_set(enum tm_i2c_line line, int high)
{
    uint32_t pin = line == TM_I2C_SCL ? TM_I2C_SCL_BIT : TM_I2C_SDA_BIT;
    if (high) {
        SIO_GPIO_OE_CLR = SIO_GPIO_OE_CLR_PIN(pin);
    } else {
        SIO_GPIO_OE_SET = SIO_GPIO_OE_SET_PIN(pin);
    }
}

int tm_i2c_line_read(enum tm_i2c_line line)
{
    return (int)(SIO_GPIO_IN >> (line == TM_I2C_SCL ? TM_I2C_SCL_BIT : TM_I2C_SDA_BIT) & 1u);
}
#endif
