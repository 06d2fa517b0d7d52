/* I2C (NXP UM10204) over the two lines of soc/<family>.c. */
#include "tm_i2c.h"

#include <stdint.h>

#include "tm_port.h"
#include "tm_register.h"

#define HALF_BIT_US 5u
#define CYCLES_PER_TURN 3u /* a Cortex-M7 may take one: 1.7 us, still within fast mode */
#define CYCLES_PER_LOOK 10u

static uint32_t half_bit_turns = 1;
static uint32_t stretch_looks = 1;

static __attribute__((noinline)) void half_bit(void)
{
    uint32_t turns = half_bit_turns;
    __asm volatile(".syntax unified\n1: subs %0, %0, #1\n bne 1b" : "+l"(turns)::"cc");
}

static void scl(int high)
{
    tm_i2c_line_set(TM_I2C_SCL, high);
}

static void sda(int high)
{
    tm_i2c_line_set(TM_I2C_SDA, high);
}

/* 1 once SCL is high: a slave may hold it low for a while. */
static int scl_rises(void)
{
    scl(1);
    for (uint32_t looks = stretch_looks; looks > 0; looks--) {
        if (tm_i2c_line_read(TM_I2C_SCL)) {
            half_bit();
            return 1;
        }
    }
    return 0;
}

/* From idle, or from SCL low for a repeated start. */
static enum tm_i2c_error start(void)
{
    sda(1);
    half_bit();
    if (!scl_rises()) {
        return TM_I2C_STRETCHED;
    }
    if (!tm_i2c_line_read(TM_I2C_SDA)) {
        return TM_I2C_ARBITRATION;
    }
    sda(0);
    half_bit();
    scl(0);
    half_bit();
    return TM_I2C_OK;
}

/* From SCL low. */
static enum tm_i2c_error stop(void)
{
    sda(0);
    half_bit();
    int risen = scl_rises();
    sda(1);
    half_bit();
    return risen ? TM_I2C_OK : TM_I2C_STRETCHED;
}

/* One clock with SDA at `bit`; the level of SDA while SCL is high in `seen`. */
static enum tm_i2c_error clock_bit(int bit, int *seen)
{
    sda(bit);
    half_bit();
    if (!scl_rises()) {
        return TM_I2C_STRETCHED;
    }
    *seen = tm_i2c_line_read(TM_I2C_SDA);
    scl(0);
    half_bit();
    return TM_I2C_OK;
}

static enum tm_i2c_error send_byte(uint8_t byte)
{
    int seen = 0;
    for (int i = 7; i >= 0; i--) {
        int bit = byte >> i & 1;
        enum tm_i2c_error error = clock_bit(bit, &seen);
        if (error != TM_I2C_OK) {
            return error;
        }
        if (seen != bit) {
            return TM_I2C_ARBITRATION;
        }
    }
    enum tm_i2c_error error = clock_bit(1, &seen);
    return error != TM_I2C_OK ? error : seen ? TM_I2C_NACK : TM_I2C_OK;
}

/* The last byte of a transfer is not acknowledged: the slave lets go of SDA. */
static enum tm_i2c_error receive_byte(uint8_t *byte, int last)
{
    uint32_t bits = 0;
    int seen = 0;
    for (int i = 0; i < 8; i++) {
        enum tm_i2c_error error = clock_bit(1, &seen);
        if (error != TM_I2C_OK) {
            return error;
        }
        bits = bits << 1 | (uint32_t)seen;
    }
    *byte = (uint8_t)bits;
    enum tm_i2c_error error = clock_bit(last, &seen);
    return error == TM_I2C_OK && seen != last ? TM_I2C_ARBITRATION : error;
}

/* A slave that was interrupted while it sends holds SDA low until it has sent its byte: clock it,
 * up to 9 times, and end with a stop (UM10204, 3.1.16). */
static enum tm_i2c_error free_bus(void)
{
    scl(1);
    sda(1);
    half_bit();
    if (!scl_rises()) {
        return TM_I2C_STUCK_SCL;
    }
    for (int i = 0; i < 9 && !tm_i2c_line_read(TM_I2C_SDA); i++) {
        scl(0);
        half_bit();
        if (!scl_rises()) {
            return TM_I2C_STUCK_SCL;
        }
    }
    if (!tm_i2c_line_read(TM_I2C_SDA)) {
        return TM_I2C_STUCK_SDA;
    }
    scl(0);
    half_bit();
    return stop();
}

static enum tm_i2c_error send_all(uint8_t address, const uint8_t *bytes, uint32_t count)
{
    enum tm_i2c_error error = start();
    if (error == TM_I2C_OK) {
        error = send_byte((uint8_t)(address << 1));
    }
    for (uint32_t i = 0; error == TM_I2C_OK && i < count; i++) {
        error = send_byte(bytes[i]);
    }
    return error;
}

static enum tm_i2c_error receive_all(uint8_t address, uint8_t *bytes, uint32_t count)
{
    enum tm_i2c_error error = start();
    if (error == TM_I2C_OK) {
        error = send_byte((uint8_t)(address << 1 | 1));
    }
    for (uint32_t i = 0; error == TM_I2C_OK && i < count; i++) {
        error = receive_byte(bytes + i, i + 1 == count);
    }
    return error;
}

enum tm_i2c_error tm_i2c_transfer(uint8_t address, const uint8_t *send, uint32_t send_count,
                                  uint8_t *receive, uint32_t receive_count)
{
    enum tm_i2c_error error = TM_I2C_OK;
    if (!tm_i2c_line_read(TM_I2C_SCL) || !tm_i2c_line_read(TM_I2C_SDA)) {
        error = free_bus();
    }
    if (error != TM_I2C_OK) {
        return error;
    }
    error = send_all(address, send, send_count);
    if (error == TM_I2C_OK && receive_count > 0) {
        error = receive_all(address, receive, receive_count);
    }
    if (error == TM_I2C_ARBITRATION) { /* another master goes on: it ends the transfer */
        sda(1);
        scl(1);
        return error;
    }
    enum tm_i2c_error ended = stop();
    return error != TM_I2C_OK ? error : ended;
}

void tm_i2c_init(uint32_t clock_hz)
{
    half_bit_turns = clock_hz / 1000000u * HALF_BIT_US / CYCLES_PER_TURN + 1u;
    stretch_looks = clock_hz / 1000u * TM_I2C_STRETCH_MS / CYCLES_PER_LOOK / TM_TRIES_DIVISOR + 1u;
    tm_i2c_lines_init();
    half_bit();
}
