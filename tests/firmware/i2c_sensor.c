/* The I2C master against a temperature sensor that is no INA: what QEMU's machines have. */
#include <stdint.h>

#include "board.h"
#include "tm_i2c.h"
#include "tm_port.h"

#define SENSOR 0x48u /* TMP105 */
#define NOBODY 0x50u
#define T_LOW 2u

void tm_fault(uint32_t number, uint32_t pc);
void tm_fault(uint32_t number, uint32_t pc)
{
    (void)number;
    (void)pc;
    for (;;) {
    }
}

static void put(const char *name, uint32_t value)
{
    char text[8] = {0};
    while (*name != '\0') {
        tm_console_write(name++, 1);
    }
    for (int i = 7; i >= 0; i--) {
        text[i] = "0123456789ABCDEF"[value & 15];
        value >>= 4;
    }
    tm_console_write(text, sizeof text);
    tm_console_write("\n", 1);
}

int main(void)
{
    struct tm_clock clock = tm_clock_init();
    tm_console_init(clock.hz);
    tm_i2c_init(clock.hz);
    for (uint32_t address = 0x40; address < 0x60; address++) {
        if (tm_i2c_transfer((uint8_t)address, 0, 0, 0, 0) == TM_I2C_OK) {
            put("found ", address);
        }
    }
    uint8_t pointer[3] = {T_LOW};
    uint8_t value[2] = {0};
    put("read ", tm_i2c_transfer(SENSOR, pointer, 1, value, 2));
    put("low ", (uint32_t)value[0] << 8 | value[1]);
    pointer[1] = 0x5A;
    pointer[2] = 0xA0;
    put("write ", tm_i2c_transfer(SENSOR, pointer, 3, 0, 0));
    put("read ", tm_i2c_transfer(SENSOR, pointer, 1, value, 2));
    put("low ", (uint32_t)value[0] << 8 | value[1]);
    put("nobody ", tm_i2c_transfer(NOBODY, pointer, 1, value, 2));
    put("end ", 0);
    for (;;) {
    }
}
