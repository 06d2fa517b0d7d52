/* A model for tests of firmware/app/mlperf.c: its outputs are its first input bytes, as they are;
 * a run overwrites its input. With DEVICE_PORT also a port: the console is stdin and stdout, the
 * clock steps at each look, the trigger pin of energy mode is seen as {0} and {1} in the text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tm_model.h"
#include "tm_port.h"

#ifdef DEVICE_PORT
static uint64_t ticks = DEVICE_TICKS;

struct tm_clock tm_clock_init(void)
{
    return (struct tm_clock){DEVICE_HZ, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
    (void)clock_hz;
}

void tm_console_write(const char *bytes, uint32_t count)
{
    fwrite(bytes, 1, count, stdout);
}

int tm_console_read(void)
{
    int byte = getchar();
    if (byte == EOF) {
        fflush(stdout);
        exit(0);
    }
    return byte;
}

void tm_trigger_init(void)
{
}

void tm_trigger_set(int high)
{
    if (TM_MLPERF_ENERGY) {
        fputs(high ? "{1}" : "{0}", stdout);
    }
}

void tm_counter_init(uint32_t clock_hz)
{
    (void)clock_hz;
}

uint64_t tm_counter_read(void)
{
    uint64_t now = ticks;
    ticks += DEVICE_STEP;
    return now;
}

const char *tm_counter_name(void)
{
    return "steps";
}

uint32_t tm_counter_hz(void)
{
    return DEVICE_HZ;
}

void tm_exit(int code)
{
    fflush(stdout);
    exit(code);
}
#endif

static _Alignas(16) uint8_t arena[2 * DEVICE_IN_BYTES];

static void nothing(void)
{
}

static void run(void)
{
    memcpy(arena + DEVICE_IN_BYTES, arena, DEVICE_OUT_BYTES);
    memset(arena, 0x55, DEVICE_IN_BYTES);
}

static const struct tm_tensor input = {"x", arena, DEVICE_IN_BYTES, TM_S8};
static const struct tm_tensor output = {"y", arena + DEVICE_IN_BYTES, DEVICE_OUT_BYTES,
                                        DEVICE_OUT_TYPE};

const struct tm_model device_model = {
    .name = "device",
    .engine = "hand",
    .hash = "0123456789abcdef",
    .arena = arena,
    .arena_bytes = sizeof arena,
    .inputs = &input,
    .outputs = &output,
    .input_count = 1,
    .output_count = 1,
    .init = nothing,
    .run = run,
};
