/* NXP i.MX RT1062 (IMXRT1060RM): XIP from quad flash, 24 MHz crystal to 600 MHz, LPUART6, GPIO7.
 *
 * The boot ROM reads the flash's configuration at the start of flash and the image vector table
 * (IVT) 4 KiB behind it, then jumps to image_entry. The vectors follow at 8 KiB. Code runs from
 * flash through the caches, which port/startup.c enables. Where the PLL does not start the core
 * stays on the crystal and the status says so.
 */
#include <stdint.h>

#include "board.h"
#include "tm_port.h"
#include "tm_register.h"

#if TM_OSCILLATOR_HZ != 24000000 || TM_CLOCK_HZ != 600000000
#error "imxrt1062: the PLL is set for 600 MHz from a crystal of 24 MHz"
#endif
#if TM_CONSOLE_BASE != 0x40198000 || TM_CONSOLE_TX_PORT != 1 || TM_CONSOLE_TX_BIT != 2 || \
    TM_CONSOLE_RX_PORT != 1 || TM_CONSOLE_RX_BIT != 3
#error "imxrt1062: the console is LPUART6 at 0x40198000 on GPIO1.2 and GPIO1.3 (GPIO_AD_B0_02, _03)"
#endif
#if defined(TM_TRIGGER_PORT) && TM_TRIGGER_PORT != 7
#error "imxrt1062: the trigger is a pin of GPIO7"
#endif
#if defined(TM_I2C_SDA_PORT) && (TM_I2C_SDA_PORT != 1 || TM_I2C_SCL_PORT != 1)
#error "imxrt1062: the I2C bus is on pins of GPIO1"
#endif

#define CCM_CACRR REGISTER(0x400FC010u)
#define CCM_CBCDR REGISTER(0x400FC014u)
#define CCM_CBCMR REGISTER(0x400FC018u)
#define CCM_CSCDR1 REGISTER(0x400FC024u)
#define CCM_CDHIPR REGISTER(0x400FC048u)
#define CCM_CCGR3 REGISTER(0x400FC074u)
#define CCM_CCGR6 REGISTER(0x400FC080u)
#define CCM_ANALOG_PLL_ARM REGISTER(0x400D8000u)
#define DCDC_REG0 REGISTER(0x40080000u)
#define DCDC_REG3 REGISTER(0x4008000Cu)
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_02 REGISTER(0x401F80C4u)
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_03 REGISTER(0x401F80C8u)
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_B(bit) REGISTER(0x401F813Cu + 4u * (bit)) /* B0_00..B1_15 */
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B(pin) REGISTER(0x401F80BCu + 4u * (pin)) /* GPIO1 */
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B(pin) REGISTER(0x401F82ACu + 4u * (pin))
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_B(bit) REGISTER(0x401F832Cu + 4u * (bit))
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03 REGISTER(0x401F82B8u)
#define IOMUXC_LPUART6_RX_SELECT_INPUT REGISTER(0x401F8550u)
#define IOMUXC_GPR_GPR26 REGISTER(0x400AC068u)
#define IOMUXC_GPR_GPR27 REGISTER(0x400AC06Cu)
#define LPUART_BAUD REGISTER(TM_CONSOLE_BASE + 0x10u)
#define LPUART_STAT REGISTER(TM_CONSOLE_BASE + 0x14u)
#define LPUART_CTRL REGISTER(TM_CONSOLE_BASE + 0x18u)
#define LPUART_DATA REGISTER(TM_CONSOLE_BASE + 0x1Cu)
#define GPIO1_GDIR REGISTER(0x401B8004u)
#define GPIO1_PSR REGISTER(0x401B8008u)
#define GPIO1_DR_CLEAR REGISTER(0x401B8088u)
#define GPIO_GDIR REGISTER(0x42004004u)
#define GPIO_PSR REGISTER(0x42004008u)
#define GPIO_DR_SET REGISTER(0x42004084u)
#define GPIO_DR_CLEAR REGISTER(0x42004088u)

#define CCM_CACRR_ARM_PODF_DIV2 (1u << 0)
#define CCM_CBCDR_IPG_PODF (3u << 8)
#define CCM_CBCDR_IPG_PODF_DIV4 (3u << 8)
#define CCM_CBCDR_AHB_PODF (7u << 10)
#define CCM_CBCDR_PERIPH_CLK_SEL (1u << 25)
#define CCM_CBCDR_PERIPH_CLK2_PODF (7u << 27)
#define CCM_CBCMR_PERIPH_CLK2_SEL (3u << 12)
#define CCM_CBCMR_PERIPH_CLK2_SEL_OSC (1u << 12)
#define CCM_CBCMR_PRE_PERIPH_CLK_SEL (3u << 18) /* all ones: the ARM PLL */
#define CCM_CSCDR1_UART_CLK_PODF (63u << 0)
#define CCM_CSCDR1_UART_CLK_SEL (1u << 6)
#define CCM_CDHIPR_AHB_PODF_BUSY (1u << 1)
#define CCM_CDHIPR_PERIPH_CLK_SEL_BUSY (1u << 5)
#define CCM_CDHIPR_ARM_PODF_BUSY (1u << 16)
#define CCM_CCGR3_CG3 (3u << 6) /* LPUART6 */
#define CCM_CCGR6_CG3 (3u << 6) /* DCDC */
#define CCM_ANALOG_PLL_ARM_DIV_SELECT_1200MHZ (100u << 0) /* 24 MHz * 100 / 2 */
#define CCM_ANALOG_PLL_ARM_POWERDOWN (1u << 12)
#define CCM_ANALOG_PLL_ARM_ENABLE (1u << 13)
#define CCM_ANALOG_PLL_ARM_LOCK (1u << 31)
#define DCDC_REG0_STS_DC_OK (1u << 31)
#define DCDC_REG3_TRG (31u << 0)
#define DCDC_REG3_TRG_1250MV (18u << 0) /* 0.8 V + 18 * 25 mV */
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_02_MUX_MODE_LPUART6_TX (2u << 0)
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_03_MUX_MODE_LPUART6_RX (2u << 0)
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_B_MUX_MODE_GPIO (5u << 0)
#define IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B_MUX_MODE_GPIO (5u << 0)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_DSE_R0_6 (6u << 3)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_PKE (1u << 12)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_PUE (1u << 13)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_PUS_22K_UP (3u << 14)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_HYS (1u << 16)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_B_PKE (1u << 12)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_B_PUE (1u << 13) /* PUS 0: 100 kohm down */
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_B_HYS (1u << 16)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03_PKE (1u << 12)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03_PUE (1u << 13)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03_PUS_22K_UP (3u << 14)
#define IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03_HYS (1u << 16)
#define IOMUXC_LPUART6_RX_SELECT_INPUT_DAISY_AD_B0_03 (1u << 0)
#define LPUART_BAUD_OSR_16 (15u << 24)
#define LPUART_STAT_OR (1u << 19)
#define LPUART_STAT_RDRF (1u << 21)
#define LPUART_STAT_TDRE (1u << 23)
#define LPUART_CTRL_RE (1u << 18)
#define LPUART_CTRL_TE (1u << 19)

#define IOMUXC_GPR_GPR27_PIN(pin) (1u << (pin))
#define GPIO_GDIR_PIN(pin) (1u << (pin))
#define GPIO_DR_SET_PIN(pin) (1u << (pin))
#define GPIO_DR_CLEAR_PIN(pin) (1u << (pin))
#define IOMUXC_GPR_GPR26_PIN(pin) (1u << (pin))
#define GPIO1_GDIR_PIN(pin) (1u << (pin))
#define GPIO1_DR_CLEAR_PIN(pin) (1u << (pin))

#define OVERSAMPLING 16u /* OSR */
#define UART_HZ 24000000u /* whatever the core runs at */
#define BOOT_HZ 396000000u
#define READY_TRIES 200000u
#define TX_TRIES 10000000u

#define FLASH_START 0x60000000u
#define IVT_OFFSET 0x1000u
#define VECTORS_OFFSET 0x2000u

void Reset_Handler(void);
void image_entry(void);
extern const char __flash_bytes[]; /* an address that is the size */

/* IMXRT1060RM 9.6.3: FlexSPI configuration block, words by their offset. */
enum {
    CONFIG_TAG = 0x00 / 4,
    CONFIG_VERSION = 0x04 / 4,
    CONFIG_TIMING = 0x0C / 4,     /* readSampleClkSrc, csHoldTime, csSetupTime, columnAddressWidth */
    CONFIG_DEVICE = 0x44 / 4,     /* deviceType, sflashPadType, serialClkFreq, lutCustomSeqEnable */
    CONFIG_FLASH_BYTES = 0x50 / 4, /* sflashA1Size */
    CONFIG_LUT = 0x80 / 4,        /* sequence 0: read */
    CONFIG_LUT_END = 0x88 / 4,
    CONFIG_PAGE_BYTES = 0x1C0 / 4,
    CONFIG_SECTOR_BYTES = 0x1C4 / 4,
    CONFIG_COMMAND_CLOCK = 0x1C8 / 4,
    CONFIG_BLOCK_BYTES = 0x1D0 / 4,
    CONFIG_WORDS = 512 / 4
};

/* A LUT word holds two instructions: operation, pads (0: 1, 2: 4) and operand. */
#define LUT(op, pads, operand) ((uint32_t)((op) << 10 | (pads) << 8 | (operand)))
#define LUT_PAIR(first, second) ((first) | (second) << 16)
#define LUT_CMD 0x01u
#define LUT_ADDRESS 0x02u
#define LUT_MODE8 0x07u
#define LUT_READ 0x09u
#define LUT_DUMMY 0x0Cu
#define LUT_1_PAD 0u
#define LUT_4_PADS 2u

/* What the words say. EBh: fast read quad I/O; the mode FFh keeps the command byte in each read. */
#define TAG_FCFB 0x42464346u
#define VERSION_1_0_0 0x56010000u
#define TIMING_LOOP_BACK 0x00020101u /* sampled by the DQS pad's loop back; 1 and 2 clocks */
#define DEVICE_QUAD_100MHZ 0x01060401u /* serial NOR, 4 pads, 100 MHz, the LUT below */
#define FLASH_BYTES 0x00800000u
#define PAGE_BYTES 256u
#define SECTOR_BYTES 4096u
#define BLOCK_BYTES 65536u
#define COMMAND_30MHZ 1u
#define READ_QUAD 0xEBu
#define READ_ADDRESS_BITS 24u
#define READ_MODE 0xFFu
#define READ_DUMMY_CLOCKS 4u
#define READ_SOME 1u /* however many are asked for */
#define IVT_HEADER 0x432000D1u /* tag D1h, 32 bytes, version 4.3 */
#define IVT_BYTES 44u /* with the boot data behind it */

struct image_header {
    uint32_t config[CONFIG_WORDS];
    uint8_t unused[IVT_OFFSET - CONFIG_WORDS * sizeof(uint32_t)];
    uint32_t ivt_header;
    void (*entry)(void);
    uint32_t reserved;
    const void *device_configuration;
    const void *boot_data;
    const void *self;
    const void *command_sequence_file;
    uint32_t reserved2;
    uint32_t start;
    const char *bytes;
    uint32_t plugin;
    uint8_t unused2[VECTORS_OFFSET - IVT_OFFSET - IVT_BYTES];
};

__attribute__((section(".boot"), used)) static const struct image_header header = {
    .config =
        {
            [CONFIG_TAG] = TAG_FCFB,
            [CONFIG_VERSION] = VERSION_1_0_0,
            [CONFIG_TIMING] = TIMING_LOOP_BACK,
            [CONFIG_DEVICE] = DEVICE_QUAD_100MHZ,
            [CONFIG_FLASH_BYTES] = FLASH_BYTES,
            [CONFIG_LUT] = LUT_PAIR(LUT(LUT_CMD, LUT_1_PAD, READ_QUAD),
                                    LUT(LUT_ADDRESS, LUT_4_PADS, READ_ADDRESS_BITS)),
            [CONFIG_LUT + 1] = LUT_PAIR(LUT(LUT_MODE8, LUT_4_PADS, READ_MODE),
                                        LUT(LUT_DUMMY, LUT_4_PADS, READ_DUMMY_CLOCKS)),
            [CONFIG_LUT_END] = LUT_PAIR(LUT(LUT_READ, LUT_4_PADS, READ_SOME), 0u),
            [CONFIG_PAGE_BYTES] = PAGE_BYTES,
            [CONFIG_SECTOR_BYTES] = SECTOR_BYTES,
            [CONFIG_COMMAND_CLOCK] = COMMAND_30MHZ,
            [CONFIG_BLOCK_BYTES] = BLOCK_BYTES,
        },
    .ivt_header = IVT_HEADER,
    .entry = image_entry,
    .boot_data = &header.start,
    .self = &header.ivt_header,
    .start = FLASH_START,
    .bytes = __flash_bytes,
};

/* FlexRAM is shared out before anything is in it: bank 0 is ITCM, the other 15 are DTCM (2 bits a
 * bank in IOMUXC_GPR17; GPR14 the largest sizes, GPR16 both on and the banks from GPR17). The ROM
 * may have left an MPU set-up behind. */
__attribute__((naked)) void image_entry(void)
{
    __asm volatile(
        ".syntax unified          \n"
        "cpsid i                  \n"
        "ldr r0, =0x400AC000      \n" /* IOMUXC_GPR */
        "ldr r1, =0xAAAAAAAB      \n"
        "str r1, [r0, #0x44]      \n" /* GPR17 */
        "ldr r1, =0x00200007      \n"
        "str r1, [r0, #0x40]      \n" /* GPR16 */
        "ldr r1, =0x00AA0000      \n"
        "str r1, [r0, #0x38]      \n" /* GPR14 */
        "ldr r0, =0xE000ED94      \n" /* MPU_CTRL */
        "movs r1, #0              \n"
        "str r1, [r0]             \n"
        "ldr r0, =__stack_top     \n"
        "mov sp, r0               \n"
        "dsb                      \n"
        "isb                      \n"
        "cpsie i                  \n"
        "ldr r0, =Reset_Handler   \n"
        "bx r0                    \n"
        ".ltorg                   \n");
}

static int ready(volatile uint32_t *reg, uint32_t mask)
{
    return tm_wait(reg, mask, mask, READY_TRIES);
}

static int idle(uint32_t mask)
{
    return tm_wait(&CCM_CDHIPR, mask, 0, READY_TRIES);
}

/* The core runs from the crystal while the ARM PLL is set. */
static int leave_pll(void)
{
    CCM_CBCDR &= ~CCM_CBCDR_PERIPH_CLK2_PODF;
    CCM_CBCMR = (CCM_CBCMR & ~CCM_CBCMR_PERIPH_CLK2_SEL) | CCM_CBCMR_PERIPH_CLK2_SEL_OSC;
    CCM_CBCDR |= CCM_CBCDR_PERIPH_CLK_SEL;
    return idle(CCM_CDHIPR_PERIPH_CLK_SEL_BUSY);
}

static int start_pll(void)
{
    CCM_ANALOG_PLL_ARM = CCM_ANALOG_PLL_ARM_POWERDOWN;
    CCM_ANALOG_PLL_ARM = CCM_ANALOG_PLL_ARM_ENABLE | CCM_ANALOG_PLL_ARM_DIV_SELECT_1200MHZ;
    return ready(&CCM_ANALOG_PLL_ARM, CCM_ANALOG_PLL_ARM_LOCK);
}

static int set_dividers(void)
{
    CCM_CACRR = CCM_CACRR_ARM_PODF_DIV2;
    CCM_CBCDR = (CCM_CBCDR & ~(CCM_CBCDR_AHB_PODF | CCM_CBCDR_IPG_PODF)) | CCM_CBCDR_IPG_PODF_DIV4;
    CCM_CBCMR |= CCM_CBCMR_PRE_PERIPH_CLK_SEL;
    return idle(CCM_CDHIPR_ARM_PODF_BUSY | CCM_CDHIPR_AHB_PODF_BUSY);
}

struct tm_clock tm_clock_init(void)
{
    CCM_CCGR6 |= CCM_CCGR6_CG3;
    DCDC_REG3 = (DCDC_REG3 & ~DCDC_REG3_TRG) | DCDC_REG3_TRG_1250MV;
    if (!ready(&DCDC_REG0, DCDC_REG0_STS_DC_OK)) {
        return (struct tm_clock){BOOT_HZ, "dcdc_timeout"};
    }
    if (!leave_pll()) {
        return (struct tm_clock){BOOT_HZ, "switch_timeout"};
    }
    if (!start_pll()) {
        return (struct tm_clock){TM_OSCILLATOR_HZ, "pll_timeout"};
    }
    if (!set_dividers()) {
        return (struct tm_clock){TM_OSCILLATOR_HZ, "divider_timeout"};
    }
    CCM_CBCDR &= ~CCM_CBCDR_PERIPH_CLK_SEL;
    if (!idle(CCM_CDHIPR_PERIPH_CLK_SEL_BUSY)) {
        return (struct tm_clock){TM_OSCILLATOR_HZ, "switch_timeout"};
    }
    return (struct tm_clock){TM_CLOCK_HZ, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
    (void)clock_hz;
    CCM_CSCDR1 = (CCM_CSCDR1 & ~CCM_CSCDR1_UART_CLK_PODF) | CCM_CSCDR1_UART_CLK_SEL;
    CCM_CCGR3 |= CCM_CCGR3_CG3;
    IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_02 = IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_02_MUX_MODE_LPUART6_TX;
    IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_03 = IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B0_03_MUX_MODE_LPUART6_RX;
    IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03 =
        IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03_PKE | IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03_PUE |
        IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03_PUS_22K_UP | IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B0_03_HYS;
    IOMUXC_LPUART6_RX_SELECT_INPUT = IOMUXC_LPUART6_RX_SELECT_INPUT_DAISY_AD_B0_03;
    LPUART_BAUD = LPUART_BAUD_OSR_16 | tm_rounded(UART_HZ / OVERSAMPLING, TM_CONSOLE_BAUD);
    LPUART_CTRL = LPUART_CTRL_TE | LPUART_CTRL_RE;
}

void tm_console_write(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tm_wait(&LPUART_STAT, LPUART_STAT_TDRE, LPUART_STAT_TDRE, TX_TRIES);
        LPUART_DATA = (uint8_t)bytes[i];
    }
}

/* After an overrun nothing more is received until the flag is cleared. */
int tm_console_read(void)
{
    uint32_t state = LPUART_STAT;
    if (state & LPUART_STAT_OR) {
        LPUART_STAT = LPUART_STAT_OR;
    }
    return state & LPUART_STAT_RDRF ? (int)(uint8_t)LPUART_DATA : -1;
}

void tm_trigger_init(void)
{
#ifdef TM_TRIGGER_BIT
    IOMUXC_SW_MUX_CTL_PAD_GPIO_B(TM_TRIGGER_BIT) = IOMUXC_SW_MUX_CTL_PAD_GPIO_B_MUX_MODE_GPIO;
    IOMUXC_GPR_GPR27 |= IOMUXC_GPR_GPR27_PIN(TM_TRIGGER_BIT); /* the pin is GPIO7's, not GPIO2's */
    GPIO_DR_CLEAR = GPIO_DR_CLEAR_PIN(TM_TRIGGER_BIT);
    GPIO_GDIR |= GPIO_GDIR_PIN(TM_TRIGGER_BIT);
#endif
}

void tm_trigger_set(int high)
{
#ifdef TM_TRIGGER_BIT
    if (high) {
        GPIO_DR_SET = GPIO_DR_SET_PIN(TM_TRIGGER_BIT);
    } else {
        GPIO_DR_CLEAR = GPIO_DR_CLEAR_PIN(TM_TRIGGER_BIT);
    }
#else
    (void)high;
#endif
}

void tm_trigger_listen(void)
{
#ifdef TM_TRIGGER_BIT
    IOMUXC_SW_MUX_CTL_PAD_GPIO_B(TM_TRIGGER_BIT) = IOMUXC_SW_MUX_CTL_PAD_GPIO_B_MUX_MODE_GPIO;
    IOMUXC_SW_PAD_CTL_PAD_GPIO_B(TM_TRIGGER_BIT) = IOMUXC_SW_PAD_CTL_PAD_GPIO_B_PKE |
                                                   IOMUXC_SW_PAD_CTL_PAD_GPIO_B_PUE |
                                                   IOMUXC_SW_PAD_CTL_PAD_GPIO_B_HYS;
    IOMUXC_GPR_GPR27 |= IOMUXC_GPR_GPR27_PIN(TM_TRIGGER_BIT);
    GPIO_GDIR &= ~GPIO_GDIR_PIN(TM_TRIGGER_BIT);
#endif
}

int tm_trigger_read(void)
{
#ifdef TM_TRIGGER_BIT
    return (int)(GPIO_PSR >> TM_TRIGGER_BIT & 1u);
#else
    return 0;
#endif
}

#ifdef TM_I2C_SDA_BIT
static void i2c_line_init(uint32_t pin)
{
    IOMUXC_GPR_GPR26 &= ~IOMUXC_GPR_GPR26_PIN(pin); /* the pin is GPIO1's, not GPIO6's */
    GPIO1_GDIR &= ~GPIO1_GDIR_PIN(pin);
    GPIO1_DR_CLEAR = GPIO1_DR_CLEAR_PIN(pin); /* as an output the pin pulls the line down */
    IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B(pin) = IOMUXC_SW_MUX_CTL_PAD_GPIO_AD_B_MUX_MODE_GPIO;
    IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B(pin) =
        IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_DSE_R0_6 | IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_PKE |
        IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_PUE | IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_PUS_22K_UP |
        IOMUXC_SW_PAD_CTL_PAD_GPIO_AD_B_HYS;
}

void tm_i2c_lines_init(void)
{
    i2c_line_init(TM_I2C_SCL_BIT);
    i2c_line_init(TM_I2C_SDA_BIT);
}

void tm_i2c_line_set(enum tm_i2c_line line, int high)
{
    uint32_t pin = GPIO1_GDIR_PIN(line == TM_I2C_SCL ? TM_I2C_SCL_BIT : TM_I2C_SDA_BIT);
    if (high) {
        GPIO1_GDIR &= ~pin;
    } else {
        GPIO1_GDIR |= pin;
    }
}

int tm_i2c_line_read(enum tm_i2c_line line)
{
    return (int)(GPIO1_PSR >> (line == TM_I2C_SCL ? TM_I2C_SCL_BIT : TM_I2C_SDA_BIT) & 1u);
}
#endif
