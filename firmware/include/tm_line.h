/* One protocol line, written without a buffer and read in place: no printf, no heap.
 * tm_wire.h puts the table of records and commands on top of this. */
#ifndef TM_LINE_H
#define TM_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tm_port.h"

/* Protocol code: its size matters, its speed does not. `cold` means "optimise for size". */
#define TM_COLD __attribute__((cold, unused))

static uint32_t tm_line_crc; /* of the line being sent */

/* zlib's CRC-32, four bits a step: 64 bytes of table. `crc` starts at and ends in ~0. */
static TM_COLD uint32_t tm_crc32(uint32_t crc, const void *bytes, uint32_t count)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *at = bytes;
    while (count-- > 0) {
        crc ^= *at++;
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
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
    tm_line_put(text, (uint32_t)strlen(text));
}

static TM_COLD void tm_line_begin(const char *kind)
{
    tm_line_crc = ~(uint32_t)0;
    tm_line_text(TM_WIRE_PREFIX);
    tm_line_text(kind);
}

/* A value from the model or the port: what would break the line becomes '_'. */
static TM_COLD void tm_line_word(const char *name, const char *word)
{
    tm_line_text(name);
    if (*word == '\0') {
        tm_line_text("-");
    }
    for (; *word != '\0'; word++) {
        char c = (*word > ' ' && *word < 0x7f) ? *word : '_';
        tm_line_put(&c, 1);
    }
}

static TM_COLD void tm_line_u64(const char *name, uint64_t value)
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
    tm_line_text(name);
    tm_line_put(digits + at, (uint32_t)sizeof digits - at);
}

static TM_COLD void tm_line_u32(const char *name, uint32_t value)
{
    tm_line_u64(name, value);
}

static TM_COLD void tm_line_hex(const char *name, uint32_t value)
{
    char digits[8];
    for (int i = 7; i >= 0; i--) {
        digits[i] = "0123456789ABCDEF"[value & 15];
        value >>= 4;
    }
    tm_line_text(name);
    tm_line_put(digits, sizeof digits);
}

static inline char tm_base64_digit(uint32_t six)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[six & 63];
}

static TM_COLD void tm_line_payload(const char *name, const uint8_t *bytes, uint32_t count)
{
    tm_line_text(name);
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

static TM_COLD void tm_line_end(void)
{
    uint32_t crc = ~tm_line_crc;
    tm_line_hex(" ~", crc);
    tm_console_write("\n", 1);
}

/* Checks prefix and checksum of a received line, and cuts the checksum off. */
static TM_COLD int tm_line_checked(char *line, uint32_t count)
{
    if (count < sizeof(TM_WIRE_PREFIX) - 1 + 10 || line[count - 10] != ' ' ||
        line[count - 9] != '~' || memcmp(line, TM_WIRE_PREFIX, sizeof(TM_WIRE_PREFIX) - 1) != 0) {
        return 0;
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

/* Steps over `text` if it is next. */
static TM_COLD int tm_line_match(char **at, const char *text)
{
    size_t length = strlen(text);
    if (strncmp(*at, text, length) != 0) {
        return 0;
    }
    *at += length;
    return 1;
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

#endif
