/* Runs many models on one core and compares every output byte with what was expected; floats may
 * lie ULPS units in the last place from it, since the core's library has its own sinf() and fuses
 * products and sums. cases.h, made by the test, gives `cases`; one line each is printed, then
 * "done". */
#include <stdint.h>
#include <string.h>

#include "board.h"
#include "cases.h"
#include "tm_model.h"
#include "tm_port.h"

static void say(const char *text)
{
    tm_console_write(text, (uint32_t)strlen(text));
}

static void say_number(uint32_t value)
{
    char digits[11];
    char *at = digits + sizeof digits;
    *--at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    say(at);
}

void tm_fault(uint32_t number, uint32_t pc);
void tm_fault(uint32_t number, uint32_t pc)
{
    say("fault ");
    say_number(number);
    say(" at ");
    say_number(pc);
    say("\n");
    tm_exit(1);
}

/* Units in the last place between two float32 given by their bits; NaNs are equal. */
static uint64_t distance(uint32_t a, uint32_t b)
{
    const uint32_t infinite = 0x7F800000u, magnitude = 0x7FFFFFFFu;
    if ((a & magnitude) > infinite && (b & magnitude) > infinite) {
        return 0;
    }
    int64_t x = a >> 31 ? -(int64_t)(a & magnitude) : (int64_t)a;
    int64_t y = b >> 31 ? -(int64_t)(b & magnitude) : (int64_t)b;
    return (uint64_t)(x < y ? y - x : x - y);
}

static uint32_t wrong_floats(const uint8_t *got, const uint8_t *want, uint32_t bytes)
{
    uint32_t wrong = 0;
    for (uint32_t k = 0; k < bytes; k += 4) {
        uint32_t a, b;
        memcpy(&a, got + k, 4);
        memcpy(&b, want + k, 4);
        wrong += distance(a, b) > ULPS;
    }
    return wrong;
}

static uint32_t wrong_bytes(const struct tm_model *m, const uint8_t **in, const uint8_t **want)
{
    uint32_t wrong = 0;
    for (int i = 0; i < m->input_count; i++) {
        memcpy(m->inputs[i].data, *in, m->inputs[i].bytes);
        *in += m->inputs[i].bytes;
    }
    m->run();
    for (int i = 0; i < m->output_count; i++) {
        const uint8_t *got = m->outputs[i].data;
        if (m->outputs[i].dtype == TM_F32) {
            wrong += wrong_floats(got, *want, m->outputs[i].bytes);
        } else {
            for (uint32_t k = 0; k < m->outputs[i].bytes; k++)
                wrong += got[k] != (*want)[k];
        }
        *want += m->outputs[i].bytes;
    }
    return wrong;
}

int main(void)
{
    tm_console_init(tm_clock_init().hz);
    say("start\n");
    for (uint32_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const uint8_t *in = cases[c].inputs, *want = cases[c].wants;
        uint32_t wrong = 0;
        memset(cases[c].model->arena, 0xA5, cases[c].model->arena_bytes);
        cases[c].model->init();
        for (uint32_t r = 0; r < RUNS; r++)
            wrong += wrong_bytes(cases[c].model, &in, &want);
        say("case ");
        say_number(c);
        say(" ");
        say_number(wrong);
        say(tm_arena_intact() ? " intact\n" : " broken\n");
    }
    say("done\n");
    tm_exit(0);
}
