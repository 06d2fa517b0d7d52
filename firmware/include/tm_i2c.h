/* An I2C master on two pins, bit by bit: standard mode, 100 kHz at most. */
#ifndef TM_I2C_H
#define TM_I2C_H

#include <stdint.h>

enum tm_i2c_error {
    TM_I2C_OK,
    TM_I2C_NACK,        /* nobody has this address, or who has it takes no more bytes */
    TM_I2C_STRETCHED,   /* a slave holds SCL low for longer than TM_I2C_STRETCH_MS */
    TM_I2C_STUCK_SCL,   /* SCL is low while the bus should be idle */
    TM_I2C_STUCK_SDA,   /* SDA is low while the bus should be idle, and stays so over 9 clocks */
    TM_I2C_ARBITRATION, /* SDA is low where the master lets go of it: another master, or a short */
};

#define TM_I2C_STRETCH_MS 25u /* SMBus' shortest time-out */

void tm_i2c_init(uint32_t clock_hz);

/* Sends `send_count` bytes, then receives `receive_count` behind a repeated start where that is
 * above 0. The bus is idle again afterwards, whatever went wrong, unless it is stuck. */
enum tm_i2c_error tm_i2c_transfer(uint8_t address, const uint8_t *send, uint32_t send_count,
                                  uint8_t *receive, uint32_t receive_count);

#endif
