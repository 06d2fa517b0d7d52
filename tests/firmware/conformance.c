/* Runs many models on one core and compares every output byte with what was expected.
 * cases.h, made by the test, gives `cases`; one line each is printed, then "done". */
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
        for (uint32_t k = 0; k < m->outputs[i].bytes; k++)
            wrong += got[k] != (*want)[k];
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
