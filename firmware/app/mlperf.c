/* The MLPerf Tiny application: the device side of the benchmark's serial protocol (docs/MLPERF.md).
 *
 * Commands end in '%' and every one of them, refused ones too, is answered by lines that end with
 * "m-ready"; nothing is said after it. The build gives, besides TM_MODEL:
 *   TM_MLPERF_MODEL       the benchmark's name of the model, "kws01"
 *   TM_MLPERF_BYTES       what the host sends for one input
 *   TM_MLPERF_INPUT       TM_MLPERF_INT8: as the model takes it; _UINT8: 128 more than that;
 *                         _FLOAT: little-endian float32, and the result is the mean squared error
 *   TM_MLPERF_IN_SCALE, _IN_ZERO, _OUT_SCALE, _OUT_ZERO: real = scale * (int8 - zero)
 *   TM_MLPERF_ENERGY      1: a timestamp is a pulse on the trigger pin instead of a line
 */
#include <stdint.h>
#include <string.h>

#include "board.h"
#include "tm_model.h"
#include "tm_port.h"

#define TM_MLPERF_INT8 0
#define TM_MLPERF_UINT8 1
#define TM_MLPERF_FLOAT 2

/* The public runners know the protocol by this text. */
#define PROFILE "ULPMark for tinyML Firmware V0.0.1"
#define COMMAND_SIZE 80u
#define DEFAULT_WARMUPS 10u
#define PULSE_US 2000u /* an instrument that takes 1000 samples a second sees it */
#define PULSE_TRIES 10000000u
#define PRINT_COLUMNS 8u

/* Optimised for size: what is not timed. */
#define COLD __attribute__((cold))

extern const struct tm_model TM_MODEL;

static struct tm_clock core_clock;

/* What was loaded, int8 for the model wherever the host sends bytes: 128 less is bit 7 turned. */
static _Alignas(float) uint8_t db[TM_MLPERF_BYTES];
static uint32_t db_size; /* as `db load` said; 0 before */
static uint32_t db_count;
static int8_t quantized[TM_MLPERF_INPUT == TM_MLPERF_FLOAT ? TM_MLPERF_BYTES / 4 : 1];
static float squared_error;

static const uint8_t turned = TM_MLPERF_INPUT == TM_MLPERF_UINT8 ? 0x80 : 0;

static COLD void put(const char *text)
{
    tm_console_write(text, (uint32_t)strlen(text));
}

static COLD void put_unsigned(uint64_t value)
{
    char digits[20];
    uint32_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    tm_console_write(digits + at, (uint32_t)sizeof digits - at);
}

static COLD void put_hex(uint32_t value, uint32_t digits)
{
    while (digits-- > 0) {
        tm_console_write(&"0123456789abcdef"[(value >> (4 * digits)) & 15], 1);
    }
}

/* m * 2^exponent, in words of nine decimal digits: the largest float has 39. */
static COLD void put_shifted(uint32_t m, uint32_t exponent)
{
    uint32_t words[5] = {m};
    while (exponent-- > 0) {
        uint32_t carry = 0;
        for (uint32_t i = 0; i < 5; i++) {
            uint32_t doubled = 2 * words[i] + carry;
            carry = doubled >= 1000000000u;
            words[i] = doubled - (carry ? 1000000000u : 0);
        }
    }
    uint32_t top = 4;
    while (top > 0 && words[top] == 0) {
        top--;
    }
    put_unsigned(words[top]);
    while (top-- > 0) {
        for (uint32_t unit = 100000000u; unit > 0; unit /= 10) {
            put_unsigned(words[top] / unit % 10);
        }
    }
}

/* printf's "%.3f": exact, halves to even. */
static COLD void put_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t biased = bits >> 23 & 0xFF;
    uint32_t mantissa = bits & 0x7FFFFF;
    put(bits >> 31 ? "-" : "");
    if (biased == 0xFF) {
        put(mantissa ? "nan" : "inf");
        return;
    }
    mantissa |= biased ? 1u << 23 : 0;
    int32_t exponent = (int32_t)(biased ? biased : 1) - 150;
    if (exponent >= 0) {
        put_shifted(mantissa, (uint32_t)exponent);
        put(".000");
        return;
    }
    uint32_t shift = exponent < -40 ? 40 : (uint32_t)-exponent; /* 1000 * 2^24 is below 2^34 */
    uint64_t scaled = (uint64_t)mantissa * 1000;
    uint64_t thousandths = scaled >> shift;
    uint64_t rest = scaled - (thousandths << shift);
    uint64_t half = (uint64_t)1 << (shift - 1);
    thousandths += rest > half || (rest == half && (thousandths & 1));
    put_unsigned(thousandths / 1000);
    put(".");
    put_unsigned(thousandths / 100 % 10);
    put_unsigned(thousandths / 10 % 10);
    put_unsigned(thousandths % 10);
}

/* From port/startup.c: what the processor's fault handlers call. Nothing works any more. */
void tm_fault(uint32_t number, uint32_t pc);
void tm_fault(uint32_t number, uint32_t pc)
{
    put("\r\ne-[Fault ");
    put_unsigned(number);
    put(" at 0x");
    put_hex(pc, 8);
    put("]\r\n");
    tm_exit(1);
    for (;;) {
    }
}

/* Of the counter, without a wrap; one that does not count leaves it at 0. */
static uint64_t microseconds(void)
{
    uint64_t ticks = tm_counter_read();
    uint32_t hz = tm_counter_hz();
    return ticks / hz * 1000000 + ticks % hz * 1000000 / hz;
}

static COLD void timestamp(void)
{
#if TM_MLPERF_ENERGY
    tm_trigger_set(0);
    uint64_t start = microseconds();
    for (uint32_t tries = 0; tries < PULSE_TRIES && microseconds() - start < PULSE_US; tries++) {
    }
    tm_trigger_set(1);
#else
    uint64_t now = microseconds();
    put("m-lap-us-");
    put_unsigned(now);
    put("\r\n");
#endif
}

/* The next word behind *at, as a string of its own; NULL at the end. */
static COLD char *next_word(char **at)
{
    char *start = *at;
    while (*start == ' ') {
        start++;
    }
    if (*start == '\0') {
        return NULL;
    }
    char *end = start;
    while (*end != ' ' && *end != '\0') {
        end++;
    }
    *at = *end == '\0' ? end : end + 1;
    *end = '\0';
    return start;
}

/* 0 for what is no decimal number below 2^32. */
static COLD int read_number(const char *word, uint32_t *number)
{
    uint64_t sum = 0;
    for (const char *at = word; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || sum > UINT32_MAX) {
            return 0;
        }
        sum = sum * 10 + (uint32_t)(*at - '0');
    }
    *number = (uint32_t)sum;
    return *word != '\0' && sum <= UINT32_MAX;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* What came over the line may hold bytes that would break it again. */
static COLD void put_echo(const char *text)
{
    for (; *text != '\0'; text++) {
        tm_console_write(*text >= ' ' && *text <= '~' ? text : "?", 1);
    }
}

static COLD void put_numbers(const char *before, uint32_t first, const char *between,
                             uint32_t second, const char *after)
{
    put(before);
    put_unsigned(first);
    put(between);
    put_unsigned(second);
    put(after);
}

static COLD void db_load(char *at)
{
    const char *word = next_word(&at);
    uint32_t size = 0;
    if (word == NULL) {
        put("e-[Command 'db load' requires the # of bytes]\r\n");
    } else if (!read_number(word, &size) || size == 0) {
        put("e-[Command 'db load' must be >0 bytes]\r\n");
    } else if (size > TM_MLPERF_BYTES) {
        put_numbers("e-[Supplied buffer size ", size, " exceeds maximum of ", TM_MLPERF_BYTES,
                    "]\r\n");
    } else {
        db_size = size;
        db_count = 0;
        put("m-[Expecting ");
        put_unsigned(size);
        put(" bytes]\r\n");
    }
}

static COLD void db_print(void)
{
    for (uint32_t i = 0; i < db_count; i++) {
        put(i % PRINT_COLUMNS == 0 ? "m-buffer-" : "-");
        put_hex(db[i] ^ turned, 2);
        if (i % PRINT_COLUMNS == PRINT_COLUMNS - 1 || i + 1 == db_count) {
            put("\r\n");
        }
    }
}

/* All of the digits or, where one of them is wrong, none. */
static COLD void db_bytes(const char *digits)
{
    uint32_t count = (uint32_t)strlen(digits);
    for (uint32_t i = 0; i < count; i++) {
        if (hex_value(digits[i]) < 0) {
            const char pair[] = {digits[i & ~1u], digits[i | 1], '\0'};
            put("e-[Invalid hex digit '");
            put_echo(pair);
            put("']\r\n");
            return;
        }
    }
    if (count & 1) {
        put("e-[Insufficient number of hex digits]\r\n");
    } else if (db_count == db_size) {
        put("e-[Command 'db' requires 'db load' first]\r\n");
    } else {
        for (uint32_t i = 0; i < count && db_count < db_size; i += 2) {
            db[db_count++] =
                (uint8_t)((hex_value(digits[i]) << 4 | hex_value(digits[i + 1])) ^ turned);
        }
        if (db_count == db_size) {
            put("m-load-done\r\n");
        }
    }
}

static COLD void do_db(char *at)
{
    const char *word = next_word(&at);
    if (word == NULL) {
        put("e-[Command 'db' requires a subcommand]\r\n");
    } else if (strcmp(word, "load") == 0) {
        db_load(at);
    } else if (strcmp(word, "print") == 0) {
        db_print();
    } else {
        db_bytes(word);
    }
}

/* round(value / scale) + zero, halves away from zero as in the reference implementation; what is
 * too large, and NaN, saturates. */
static int8_t quantize(float value)
{
    float steps = value / TM_MLPERF_IN_SCALE;
    steps = steps < -1024.0f ? -1024.0f : steps < 1024.0f ? steps : 1024.0f;
    int32_t whole = (int32_t)steps;
    float rest = steps - (float)whole;
    int32_t sum = whole + (rest >= 0.5f) - (rest <= -0.5f) + TM_MLPERF_IN_ZERO;
    return (int8_t)(sum < -128 ? -128 : sum > 127 ? 127 : sum);
}

static float loaded_float(uint32_t i)
{
    float value;
    memcpy(&value, db + 4 * i, sizeof value);
    return value;
}

static float output_value(uint32_t i)
{
    const struct tm_tensor *output = &TM_MODEL.outputs[0];
    if (output->dtype == TM_F32) {
        return ((const float *)output->data)[i];
    }
    return (float)(((const int8_t *)output->data)[i] - TM_MLPERF_OUT_ZERO) * TM_MLPERF_OUT_SCALE;
}

static uint32_t output_count(void)
{
    const struct tm_tensor *output = &TM_MODEL.outputs[0];
    return output->dtype == TM_F32 ? output->bytes / 4 : output->bytes;
}

static COLD float mean_squared_error(void)
{
    float sum = 0.0f;
    for (uint32_t i = 0; i < output_count(); i++) {
        float difference = output_value(i) - loaded_float(i);
        sum += difference * difference;
    }
    return sum / (float)output_count();
}

static COLD void put_results(void)
{
    put("m-results-[");
    if (TM_MLPERF_INPUT == TM_MLPERF_FLOAT) {
        put_float(squared_error);
    } else {
        for (uint32_t i = 0; i < output_count(); i++) {
            put(i ? "," : "");
            put_float(output_value(i));
        }
    }
    put("]\r\n");
}

/* A run may overwrite its inputs, so each gets them anew. */
static void infer_once(void)
{
    const void *input = TM_MLPERF_INPUT == TM_MLPERF_FLOAT ? (const void *)quantized : db;
    memcpy(TM_MODEL.inputs[0].data, input, TM_MODEL.inputs[0].bytes);
    TM_MODEL.run();
}

static void infer(uint32_t count, uint32_t warmups)
{
    if (TM_MLPERF_INPUT == TM_MLPERF_FLOAT) {
        for (uint32_t i = 0; i < TM_MLPERF_BYTES / 4; i++) {
            quantized[i] = quantize(loaded_float(i));
        }
    }
    if (TM_MODEL.reset != NULL) {
        TM_MODEL.reset();
    }
    put("m-warmup-start-");
    put_unsigned(warmups);
    put("\r\n");
    while (warmups-- > 0) {
        infer_once();
    }
    put("m-warmup-done\r\nm-infer-start-");
    put_unsigned(count);
    put("\r\n");
    timestamp();
    while (count-- > 0) {
        infer_once();
    }
    timestamp();
    put("m-infer-done\r\n");
    if (TM_MLPERF_INPUT == TM_MLPERF_FLOAT) {
        squared_error = mean_squared_error();
    }
    put_results();
}

static COLD void do_infer(char *at)
{
    uint32_t count = 1;
    uint32_t warmups = DEFAULT_WARMUPS;
    const char *word = next_word(&at);
    if (word != NULL) {
        if (!read_number(word, &count) || count == 0) {
            put("e-[Inference iterations must be >0]\r\n");
            return;
        }
        word = next_word(&at);
        if (word != NULL && !read_number(word, &warmups)) {
            put("e-[Inference warmup must be >=0]\r\n");
            return;
        }
    }
    if (db_count != TM_MLPERF_BYTES) {
        put_numbers("e-[Input db has ", db_count, " bytes, expected ", TM_MLPERF_BYTES, "]\r\n");
        return;
    }
    infer(count, warmups);
}

static COLD void put_help(void)
{
    put(PROFILE "\r\ntinyml board=" TM_BOARD " engine=");
    put(TM_MODEL.engine);
    put(" model=");
    put(TM_MODEL.name);
    put(" hash=");
    put(TM_MODEL.hash);
    put(" clock=");
    put(core_clock.status);
    put(" clock_hz=");
    put_unsigned(core_clock.hz);
    put(" counter=");
    put(tm_counter_name());
    put("\r\n"
        "help         : Print this information\r\n"
        "name         : Print the name of the device\r\n"
        "profile      : Print the firmware's profile and its model\r\n"
        "timestamp    : Generate a timestamp\r\n"
        "db load N    : Expect N bytes of input\r\n"
        "db HH[HH]*   : Load bytes until there are N\r\n"
        "db print     : Print the loaded bytes\r\n"
        "infer N [W=10]: N inferences after W to warm up\r\n"
        "results      : Print the last results\r\n");
}

static COLD void obey(char *line)
{
    const char *word = next_word(&line);
    if (word == NULL) {
        return;
    }
    if (strcmp(word, "name") == 0) {
        put("m-name-dut-[tinyml-" TM_BOARD "]\r\n");
    } else if (strcmp(word, "profile") == 0) {
        put("m-profile-[" PROFILE "]\r\nm-model-[" TM_MLPERF_MODEL "]\r\n");
    } else if (strcmp(word, "timestamp") == 0) {
        timestamp();
    } else if (strcmp(word, "db") == 0) {
        do_db(line);
    } else if (strcmp(word, "infer") == 0) {
        do_infer(line);
    } else if (strcmp(word, "results") == 0) {
        put_results();
    } else if (strcmp(word, "help") == 0) {
        put_help();
    } else {
        put("e-[Unknown command: ");
        put_echo(word);
        put("]\r\n");
    }
}

static COLD void listen(void)
{
    static char line[COMMAND_SIZE + 1];
    uint32_t count = 0;
    for (;;) {
        int byte = tm_console_read();
#ifdef TM_CONSOLE_IRQ
        if (byte < 0) {
            tm_console_wait();
        }
#endif
        if (byte < 0 || byte == '\r' || byte == '\n' || byte == '\0') {
            continue; /* nothing, or what a terminal adds */
        }
        if (byte != '%') {
            if (count < COMMAND_SIZE) {
                line[count] = (char)byte;
            }
            count += count <= COMMAND_SIZE;
            continue;
        }
        if (count > COMMAND_SIZE) {
            put("e-[Command is longer than 80 characters]\r\n");
        } else {
            line[count] = '\0';
            obey(line);
        }
        put("m-ready\r\n");
        count = 0;
    }
}

int main(void)
{
    core_clock = tm_clock_init();
    tm_console_init(core_clock.hz);
    tm_trigger_init();
    tm_trigger_set(1); /* a timestamp is its falling edge */
    tm_counter_init(core_clock.hz);
    TM_MODEL.init();
    put(TM_MLPERF_ENERGY ? "m-timestamp-mode-energy\r\n" : "m-timestamp-mode-performance\r\n");
    timestamp();
    put("m-init-done\r\nm-ready\r\n");
    listen();
}
