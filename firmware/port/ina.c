/* TI's INA219, INA226 and INA228 (data sheets SBOS448, SBOS547 and SLYS021). */
#include "tm_ina.h"

#include <stddef.h>
#include <stdint.h>

#include "tm_i2c.h"

#define FIRST_ADDRESS 0x40u
#define LAST_ADDRESS 0x4Fu

#define CONFIG 0x00u
#define INA2XX_SHUNT 0x01u
#define INA2XX_BUS 0x02u

#define INA219_RESET_CONFIG 0x399Fu
#define INA219_PGA_320MV (3u << 11) /* the step is 10 uV in every range; BRNG 0: 16 V */
#define INA219_BADC_12_BIT (3u << 7)
#define INA219_BADC_US 532u
#define INA219_SADC_SHIFT 3u
#define INA219_BUS_CNVR (1u << 1)

#define INA226_MASK 0x06u
#define INA226_MASK_CVRF (1u << 3)
#define INA226_MANUFACTURER 0xFEu
#define INA226_DIE 0xFFu
#define INA226_DIE_ID 0x2260u
#define INA226_CONFIG_ONES (4u << 12) /* read so */
#define INA226_AVG_SHIFT 9u
#define INA226_VSHCT_SHIFT 3u
#define INA226_VBUSCT_US 140u /* VBUSCT 0 */

#define INA228_ADC_CONFIG 0x01u
#define INA228_SHUNT_CAL 0x02u
#define INA228_VSHUNT 0x04u
#define INA228_VBUS 0x05u
#define INA228_ENERGY 0x09u
#define INA228_DIAG 0x0Bu
#define INA228_DIAG_CNVRF (1u << 1)
#define INA228_MANUFACTURER 0x3Eu
#define INA228_DEVICE 0x3Fu
#define INA228_DEVICE_ID 0x228u /* over 4 bits of revision */
#define INA228_CONFIG_RSTACC (1u << 14)
#define INA228_VSHCT_SHIFT 6u
#define INA228_VBUSCT_US 50u /* VBUSCT 0 */
#define INA228_MODE_SHUNT_AND_BUS (0xBu << 12)
/* One step of CURRENT is then one of VSHUNT, 312.5 nV over the shunt, whatever that is:
 * 13107.2e6 * (312.5e-9 / R) * R. */
#define INA228_SHUNT_CAL_ONE 4096u

#define MODE_SHUNT_AND_BUS 7u /* INA219 and INA226, continuous */
#define TI 0x5449u

static const uint16_t averages[8] = {1, 4, 16, 64, 128, 256, 512, 1024};
static const uint16_t times_226[8] = {140, 204, 332, 588, 1100, 2116, 4156, 8244}; /* us */
static const uint16_t times_228[8] = {50, 84, 150, 280, 540, 1052, 2074, 4120};
/* SADC 0 to 3 are resolutions, 9 to 15 averages of 2 to 128 conversions of 12 bits. */
static const uint32_t times_219[16] = {84,  148,  276,  532,  532,   532,   532,   532,
                                       532, 1060, 2130, 4260, 8510, 17020, 34050, 68100};

const char *tm_ina_error_name(int error)
{
    switch (error) {
    case TM_I2C_OK:
        return "ok";
    case TM_I2C_NACK:
        return "nack";
    case TM_I2C_STRETCHED:
        return "stretched";
    case TM_I2C_STUCK_SCL:
        return "stuck_scl";
    case TM_I2C_STUCK_SDA:
        return "stuck_sda";
    case TM_I2C_ARBITRATION:
        return "arbitration";
    case TM_INA_NONE:
        return "none";
    case TM_INA_OTHER:
        return "other";
    case TM_INA_SEVERAL:
        return "several";
    case TM_INA_REFUSED:
        return "refused";
    default:
        return "no_counter";
    }
}

/* Registers are sent high byte first; `count` bytes of one. */
static int read_register(struct tm_ina *ina, uint32_t number, uint32_t count, uint64_t *value)
{
    uint8_t pointer = (uint8_t)number;
    uint8_t bytes[5] = {0};
    int error = tm_i2c_transfer((uint8_t)ina->address, &pointer, 1, bytes, count);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum = sum << 8 | bytes[i];
    }
    *value = sum;
    return error;
}

static int read_word(struct tm_ina *ina, uint32_t number, uint32_t *value)
{
    uint64_t wide = 0;
    int error = read_register(ina, number, 2, &wide);
    *value = (uint32_t)wide;
    return error;
}

static int write_word(struct tm_ina *ina, uint32_t number, uint32_t value)
{
    uint8_t bytes[3] = {(uint8_t)number, (uint8_t)(value >> 8), (uint8_t)value};
    return tm_i2c_transfer((uint8_t)ina->address, bytes, sizeof bytes, NULL, 0);
}

/* INA219s have no identity: their configuration is known where it is that of a reset or ours. */
static int looks_like_an_ina219(uint32_t config)
{
    uint32_t sadc = 15u << INA219_SADC_SHIFT;
    uint32_t ours = INA219_PGA_320MV | INA219_BADC_12_BIT | MODE_SHUNT_AND_BUS;
    return config == INA219_RESET_CONFIG || (config & ~sadc) == ours;
}

/* Nothing is written to a chip before it is known. 0 or an error; `chip` stays 0 for another. */
static int identify(struct tm_ina *ina)
{
    uint32_t maker = 0, device = 0;
    ina->chip = 0;
    int error = read_word(ina, INA228_MANUFACTURER, &maker);
    if (error == 0) {
        error = read_word(ina, INA228_DEVICE, &device);
    }
    if (error == 0 && maker == TI) {
        ina->chip = device >> 4 == INA228_DEVICE_ID ? 228 : 0;
        ina->detail = device;
        return 0;
    }
    if (error == 0) {
        error = read_word(ina, INA226_MANUFACTURER, &maker);
    }
    if (error == 0) {
        error = read_word(ina, INA226_DIE, &device);
    }
    if (error == 0 && maker == TI) {
        ina->chip = device == INA226_DIE_ID ? 226 : 0;
        ina->detail = device;
        return 0;
    }
    if (error == 0) {
        error = read_word(ina, CONFIG, &ina->detail);
    }
    if (error == 0 && looks_like_an_ina219(ina->detail)) {
        ina->chip = 219;
    }
    return error;
}

int tm_ina_find(struct tm_ina *ina)
{
    struct tm_ina found = {0}, other = {0};
    for (uint32_t address = FIRST_ADDRESS; address <= LAST_ADDRESS; address++) {
        struct tm_ina here = {.address = address};
        int error = tm_i2c_transfer((uint8_t)address, NULL, 0, NULL, 0);
        if (error == TM_I2C_NACK) {
            continue;
        }
        if (error == 0) {
            error = identify(&here);
        }
        if (error != 0 && error != TM_I2C_NACK) {
            return error;
        }
        if (error == TM_I2C_NACK || here.chip == 0) {
            other = here;
        } else if (found.chip != 0) {
            *ina = found;
            ina->detail = address;
            return TM_INA_SEVERAL;
        } else {
            found = here;
        }
    }
    *ina = found.chip != 0 ? found : other;
    return found.chip != 0 ? 0 : other.address != 0 ? TM_INA_OTHER : TM_INA_NONE;
}

/* Fields of average and shunt conversion time, the longest that both conversions fit `period_us`
 * with; the shortest where none does. */
static uint32_t choose(const uint16_t *times, uint32_t bus_us, uint32_t period_us, uint32_t *time)
{
    uint32_t longest = 0, average = 0;
    *time = 0;
    for (uint32_t a = 0; a < 8; a++) {
        for (uint32_t t = 0; t < 8; t++) {
            uint32_t shunt_us = averages[a] * (uint32_t)times[t];
            if (shunt_us + averages[a] * bus_us <= period_us && shunt_us > longest) {
                longest = shunt_us;
                average = a;
                *time = t;
            }
        }
    }
    return average;
}

/* Writes a register and reads it back. */
static int set_up(struct tm_ina *ina, uint32_t number, uint32_t value)
{
    int error = write_word(ina, number, value);
    if (error == 0) {
        error = read_word(ina, number, &ina->detail);
    }
    return error == 0 && ina->detail != value ? TM_INA_REFUSED : error;
}

static int start_228(struct tm_ina *ina, uint32_t period_us)
{
    uint32_t time = 0;
    uint32_t average = choose(times_228, INA228_VBUSCT_US, period_us, &time);
    ina->config = INA228_MODE_SHUNT_AND_BUS | time << INA228_VSHCT_SHIFT | average;
    int error = set_up(ina, INA228_SHUNT_CAL, INA228_SHUNT_CAL_ONE);
    if (error == 0) {
        error = set_up(ina, INA228_ADC_CONFIG, ina->config);
    }
    return error == 0 ? write_word(ina, CONFIG, INA228_CONFIG_RSTACC) : error;
}

/* Writing the configuration begins a conversion: the second time nothing comes behind it. */
static int start_16_bit(struct tm_ina *ina)
{
    int error = set_up(ina, CONFIG, ina->config);
    return error == 0 ? write_word(ina, CONFIG, ina->config) : error;
}

int tm_ina_start(struct tm_ina *ina, uint32_t period_us)
{
    if (ina->chip == 228) {
        return start_228(ina, period_us);
    }
    if (ina->chip == 226) {
        uint32_t time = 0;
        uint32_t average = choose(times_226, INA226_VBUSCT_US, period_us, &time);
        ina->config = INA226_CONFIG_ONES | average << INA226_AVG_SHIFT |
                      time << INA226_VSHCT_SHIFT | MODE_SHUNT_AND_BUS;
    } else {
        uint32_t sadc = 15;
        while (sadc > 0 && times_219[sadc] + INA219_BADC_US > period_us) {
            sadc--;
        }
        ina->config = INA219_PGA_320MV | INA219_BADC_12_BIT | sadc << INA219_SADC_SHIFT |
                      MODE_SHUNT_AND_BUS;
    }
    return start_16_bit(ina);
}

int tm_ina_flags(struct tm_ina *ina, uint32_t *flags)
{
    return read_word(ina,
                     ina->chip == 228   ? INA228_DIAG
                     : ina->chip == 226 ? INA226_MASK
                                        : INA2XX_BUS,
                     flags);
}

int tm_ina_ready(struct tm_ina *ina, int *ready)
{
    uint32_t flags = 0;
    int error = tm_ina_flags(ina, &flags);
    uint32_t bit = ina->chip == 228   ? INA228_DIAG_CNVRF
                   : ina->chip == 226 ? INA226_MASK_CVRF
                                      : INA219_BUS_CNVR;
    *ready = (flags & bit) != 0;
    return error;
}

int tm_ina_read(struct tm_ina *ina, struct tm_ina_reading *reading)
{
    int wide = ina->chip == 228;
    uint64_t shunt = 0, bus = 0;
    int error = read_register(ina, wide ? INA228_VSHUNT : INA2XX_SHUNT, wide ? 3 : 2, &shunt);
    if (error == 0) {
        error = read_register(ina, wide ? INA228_VBUS : INA2XX_BUS, wide ? 3 : 2, &bus);
    }
    reading->shunt = (uint32_t)shunt;
    reading->bus = (uint32_t)bus;
    return error;
}

int tm_ina_energy(struct tm_ina *ina, uint64_t *energy)
{
    *energy = 0;
    return ina->chip == 228 ? read_register(ina, INA228_ENERGY, 5, energy) : 0;
}
