/* Runs a generated model on this computer: inputs from standard input, outputs to standard
 * output, until the input ends. */
#include <stdio.h>
#include <string.h>

#include "tm_model.h"

extern const struct tm_model TM_MODEL;

int main(void)
{
    const struct tm_model *m = &TM_MODEL;
    memset(m->arena, 0xA5, m->arena_bytes);
    m->init();
    for (;;) {
        for (int i = 0; i < m->input_count; i++)
            if (fread(m->inputs[i].data, 1, m->inputs[i].bytes, stdin) != m->inputs[i].bytes)
                return 0;
        m->run();
        for (int i = 0; i < m->output_count; i++)
            fwrite(m->outputs[i].data, 1, m->outputs[i].bytes, stdout);
    }
}
