/* One protocol line, written without a buffer and read in place: no printf, no heap.
 * tm_wire.h puts the table of records and commands on top of this. */
#ifndef TM_LINE_H
#define TM_LINE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tm_port.h"

/* Protocol code: its size matters, its speed does not. `cold` means "optimise for size". */
#define TM_COLD __attribute__((cold, unused))

static uint32_t tm_line_crc; /* of the line being sent */

/* zlib's CRC-32, bit by bit: no table. `crc` starts at and ends in ~0. */
static TM_COLD uint32_t tm_crc32(uint32_t crc, const void *bytes, uint32_t count)
{
    const uint8_t *at = bytes;
    while (count-- > 0) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320u & -(crc & 1));
        }
    }
    return crc;
}

static TM_COLD void tm_line_put(const char *text, uint32_t count)
{
    tm_line_crc = tm_crc32(tm_line_crc, text, count);
    tm_console_write(text, count);
}

static TM_COLD void tm_line_text(const char *text)
{
    for (; *text != '\0'; text++) {
        tm_line_put(text, 1);
    }
}

/* A value from the model or the port: what would break the line becomes '_'. */
static TM_COLD void tm_line_word(const char *word)
{
    if (*word == '\0') {
        tm_line_text("-");
    }
    for (; *word != '\0'; word++) {
        char c = (*word > ' ' && *word < 0x7f) ? *word : '_';
        tm_line_put(&c, 1);
    }
}

static TM_COLD void tm_line_decimal(uint64_t value)
{
    char digits[20];
    uint32_t at = sizeof digits;
    uint32_t low, high = (uint32_t)(value >> 32);
    low = (uint32_t)value;
    do { /* long division by 10 in 16-bit digits: a Cortex-M0 has no 64-bit divide to call */
        uint32_t rest = high % 10;
        high /= 10;
        uint32_t part = (rest << 16) | (low >> 16);
        uint32_t upper = part / 10;
        part = ((part % 10) << 16) | (low & 0xffff);
        low = (upper << 16) | (part / 10);
        digits[--at] = (char)('0' + part % 10);
    } while (high != 0 || low != 0);
    tm_line_put(digits + at, (uint32_t)sizeof digits - at);
}

static TM_COLD void tm_line_hex(uint32_t value)
{
    char digits[8];
    for (int i = 7; i >= 0; i--) {
        digits[i] = "0123456789ABCDEF"[value & 15];
        value >>= 4;
    }
    tm_line_put(digits, sizeof digits);
}

static inline char tm_base64_digit(uint32_t six)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[six & 63];
}

static TM_COLD void tm_line_base64(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += 3) {
        uint32_t left = count - i;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= left > 2 ? bytes[i + 2] : 0;
        char quad[4] = {
            tm_base64_digit(bits >> 18),
            tm_base64_digit(bits >> 12),
            left > 1 ? tm_base64_digit(bits >> 6) : '=',
            left > 2 ? tm_base64_digit(bits) : '=',
        };
        tm_line_put(quad, 4);
    }
}

/* Sends one line after a form such as "ack seq=u". The letter behind each '=' says what follows
 * there: u a uint32_t and l a uint64_t in decimal, x a uint32_t in hexadecimal, w a word, p bytes
 * and their count in base64. One call in place of one for each field: 400 bytes less (M4, -Os). */
static TM_COLD void tm_line_send(const char *form, ...)
{
    va_list values;
    va_start(values, form);
    tm_line_crc = ~(uint32_t)0;
    tm_line_text(TM_WIRE_PREFIX);
    for (; *form != '\0'; form++) {
        tm_line_put(form, 1);
        if (*form != '=') {
            continue;
        }
        const char kind = *++form;
        if (kind == 'w') {
            tm_line_word(va_arg(values, const char *));
        } else if (kind == 'x') {
            tm_line_hex(va_arg(values, uint32_t));
        } else if (kind == 'l') {
            tm_line_decimal(va_arg(values, uint64_t));
        } else if (kind == 'p') {
            const uint8_t *bytes = va_arg(values, const uint8_t *);
            tm_line_base64(bytes, va_arg(values, uint32_t));
        } else {
            tm_line_decimal(va_arg(values, uint32_t));
        }
    }
    va_end(values);
    uint32_t crc = ~tm_line_crc;
    tm_line_text(" ~");
    tm_line_hex(crc);
    tm_console_write("\n", 1);
}

/* Checks prefix and checksum of a received line, and cuts the checksum off. */
static TM_COLD int tm_line_checked(char *line, uint32_t count)
{
    if (count < sizeof(TM_WIRE_PREFIX) - 1 + 10 || line[count - 10] != ' ' ||
        line[count - 9] != '~') {
        return 0;
    }
    for (uint32_t i = 0; i < sizeof(TM_WIRE_PREFIX) - 1; i++) {
        if (line[i] != TM_WIRE_PREFIX[i]) {
            return 0;
        }
    }
    uint32_t told = 0;
    for (uint32_t i = count - 8; i < count; i++) {
        uint32_t c = (uint8_t)line[i];
        uint32_t digit = c - '0' < 10 ? c - '0' : c - 'A' < 6 ? c - 'A' + 10 : 16;
        if (digit == 16) {
            return 0;
        }
        told = (told << 4) | digit;
    }
    line[count - 10] = '\0';
    return told == ~tm_crc32(~(uint32_t)0, line, count - 10);
}

static TM_COLD int tm_line_read_u32(char **at, uint32_t *value)
{
    const char *from = *at;
    uint32_t sum = 0;
    uint32_t digit;
    while ((digit = (uint32_t)(uint8_t)**at - '0') < 10) {
        if (sum > (UINT32_MAX - digit) / 10) {
            return 0;
        }
        sum = sum * 10 + digit;
        ++*at;
    }
    *value = sum;
    return *at != from && (*from != '0' || *at == from + 1);
}

static inline uint32_t tm_base64_value(uint32_t c)
{
    return c - 'A' < 26   ? c - 'A'
           : c - 'a' < 26 ? c - 'a' + 26
           : c - '0' < 10 ? c - '0' + 52
           : c == '+'     ? 62
           : c == '/'     ? 63
                          : 64;
}

/* Decodes base64 over itself; 0 for a wrong character, length or padding. */
static TM_COLD int tm_line_read_payload(char **at, uint8_t **bytes, uint32_t *count)
{
    const uint8_t *from = (const uint8_t *)*at;
    uint8_t *to = (uint8_t *)*at;
    *bytes = to;
    uint32_t digits = 0, bits = 0, padding = 0;
    for (; *from != '\0' && *from != ' '; from++, digits++) {
        uint32_t six = tm_base64_value(*from);
        if (*from == '=' && padding < 2) {
            padding++;
            six = 0;
        } else if (six == 64 || padding > 0) {
            return 0;
        }
        bits = (bits << 6) | six;
        if ((digits & 3) == 3) {
            *to++ = (uint8_t)(bits >> 16);
            *to++ = (uint8_t)(bits >> 8);
            *to++ = (uint8_t)bits;
        }
    }
    *at = (char *)(uintptr_t)from;
    *count = (uint32_t)(to - *bytes) - padding;
    return (digits & 3) == 0;
}

/* Reads a text that has the form of `form`, as for tm_line_send() with u and p, to its end.
 * 1, or 0 where it does not, or -1 where only the base64 is wrong. */
static TM_COLD int tm_line_read(char *text, const char *form, uint32_t *numbers, uint8_t **payload,
                                uint32_t *payload_bytes)
{
    for (; *form != '\0'; form++) {
        if (*text++ != *form) {
            return 0;
        }
        if (*form != '=') {
            continue;
        }
        if (*++form == 'p') {
            if (!tm_line_read_payload(&text, payload, payload_bytes)) {
                return -1;
            }
        } else if (!tm_line_read_u32(&text, numbers++)) {
            return 0;
        }
    }
    return *text == '\0';
}

#endif
