/* The measuring application: one timed inference at boot, then whatever the host asks for.
 *
 * Without a host, a log or an instruction counter still sees a measurement: the boot inference, all
 * of whose input bytes are zero, runs between tm_mark_begin() and tm_mark_end().
 * Built with -DTM_MODEL=<symbol of the model's struct tm_model> -Os: only the model is timed. */
#include <stdint.h>
#include <string.h>

#include "board.h"
#include "tm_model.h"
#include "tm_port.h"
#include "tm_wire.h"

#ifdef TM_INA
#include "tm_i2c.h"
#include "tm_ina.h"
#endif

extern const struct tm_model TM_MODEL;

static struct tm_clock bench_clock;
static uint32_t bench_overhead; /* ticks of an empty window */
static uint32_t bench_done_seq; /* the last command done, never done twice */
static uint32_t bench_last_index;
static uint64_t bench_last_ticks;
static uint32_t bench_layer_seq;
static uint64_t bench_layer_start;
static uint64_t bench_layer_sum;

/* Where an emulator's plugin or a debugger counts between. The operands differ so that identical
 * code folding keeps two addresses. */
__attribute__((noinline, used)) void tm_mark_begin(void)
{
    __asm__ volatile("" : : "i"(1) : "memory");
}

__attribute__((noinline, used)) void tm_mark_end(void)
{
    __asm__ volatile("" : : "i"(2) : "memory");
}

/* From port/startup.c: what the processor's fault handlers call. */
void tm_fault(uint32_t number, uint32_t pc);
void tm_fault(uint32_t number, uint32_t pc)
{
    tm_console_write("\n", 1); /* the fault may have come in the middle of a line */
    tm_send_fault(number, pc);
    tm_exit(1);
    for (;;) {
    }
}

static uint64_t net_ticks(uint64_t start, uint64_t end)
{
    uint64_t ticks = end - start;
    return ticks > bench_overhead ? ticks - bench_overhead : 0;
}

static void no_model(void)
{
}

/* Ticks of `repeat` calls of `run` in one window, with the trigger pin high round them. */
static inline uint64_t window(void (*run)(void), uint32_t repeat, int marked)
{
    tm_trigger_set(1);
    uint64_t start = tm_counter_read();
    if (marked) {
        tm_mark_begin();
    }
    do {
        run();
    } while (--repeat > 0);
    if (marked) {
        tm_mark_end();
    }
    uint64_t end = tm_counter_read();
    tm_trigger_set(0);
    return net_ticks(start, end);
}

/* Not between the marks: the first window there is the boot inference. */
static TM_COLD void measure_overhead(void)
{
    uint64_t least = window(no_model, 1, 0);
    for (int i = 0; i < 7; i++) {
        uint64_t ticks = window(no_model, 1, 0);
        least = ticks < least ? ticks : least;
    }
    bench_overhead = least < 1000000 ? (uint32_t)least : 0;
}

static void send_tensors(const char *direction, const struct tm_tensor *tensors, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tm_send_tensor(direction, i, tensors[i].name, tm_dtype_names[tensors[i].dtype],
                       tensors[i].bytes);
    }
}

static TM_COLD void send_boot(void)
{
    const struct tm_model *model = &TM_MODEL;
    tm_send_boot(TM_WIRE_VERSION, TM_BOARD, model->engine, model->name, model->hash,
                 bench_clock.hz, bench_clock.status, tm_counter_name(), tm_counter_hz(),
                 bench_overhead, model->arena_bytes, model->step_count, model->input_count,
                 model->output_count, TM_LINE_BYTES);
    send_tensors("in", model->inputs, model->input_count);
    send_tensors("out", model->outputs, model->output_count);
}

static void send_crc(uint32_t seq)
{
    uint32_t crc = ~(uint32_t)0;
    for (uint32_t i = 0; i < TM_MODEL.output_count; i++) {
        crc = tm_crc32(crc, TM_MODEL.outputs[i].data, TM_MODEL.outputs[i].bytes);
    }
    tm_send_crc(seq, ~crc);
}

static void send_outputs(uint32_t seq)
{
    for (uint32_t i = 0; i < TM_MODEL.output_count; i++) {
        const struct tm_tensor *tensor = &TM_MODEL.outputs[i];
        for (uint32_t offset = 0; offset < tensor->bytes; offset += TM_OUTPUT_CHUNK) {
            uint32_t left = tensor->bytes - offset;
            tm_send_output(seq, i, offset, (const uint8_t *)tensor->data + offset,
                           left < TM_OUTPUT_CHUNK ? left : TM_OUTPUT_CHUNK);
        }
    }
}

/* Called behind each step: what it costs itself, printing included, is not counted. */
static TM_COLD void after_step(uint32_t step)
{
    uint64_t ticks = net_ticks(bench_layer_start, tm_counter_read());
    bench_layer_sum += ticks;
    tm_send_layer(bench_layer_seq, step, ticks);
    bench_layer_start = tm_counter_read();
}

static TM_COLD void infer(uint32_t seq, uint32_t index, uint32_t repeat, uint32_t layers)
{
    if (layers) {
        bench_layer_seq = seq;
        bench_layer_sum = 0;
        bench_layer_start = tm_counter_read();
        TM_MODEL.run_steps(after_step);
        bench_last_ticks = bench_layer_sum;
    } else {
        bench_last_ticks = window(TM_MODEL.run, repeat, 1);
    }
    bench_last_index = index;
    tm_send_infer(seq, index, bench_last_ticks);
}

static const char *do_data(const struct tm_command *command, uint32_t *detail)
{
    if (command->data.tensor >= TM_MODEL.input_count) {
        *detail = TM_MODEL.input_count;
        return TM_ERROR_TENSOR;
    }
    const struct tm_tensor *tensor = &TM_MODEL.inputs[command->data.tensor];
    if (command->data.offset > tensor->bytes ||
        command->payload_bytes > tensor->bytes - command->data.offset) {
        *detail = tensor->bytes;
        return TM_ERROR_RANGE;
    }
    memcpy((uint8_t *)tensor->data + command->data.offset, command->payload,
           command->payload_bytes);
    return NULL;
}

static const char *do_run(const struct tm_command *command, int again)
{
    uint32_t seq = command->run.seq;
    if (command->run.count == 0 || command->run.repeat == 0 || command->run.layers > 1 ||
        command->run.outputs > 1 || (command->run.layers && command->run.repeat > 1)) {
        return TM_ERROR_VALUE;
    }
    if (again) {
        tm_send_infer(seq, bench_last_index, bench_last_ticks);
    } else {
        for (uint32_t i = 0; i < command->run.count; i++) {
            infer(seq, i, command->run.repeat, command->run.layers);
        }
    }
    send_crc(seq);
    if (command->run.outputs) {
        send_outputs(seq);
    }
    return NULL;
}

static void send_memory(uint32_t seq)
{
    int intact = tm_arena_intact();
    tm_send_memory(seq, TM_MODEL.arena_bytes, intact < 0 ? "none" : intact ? "ok" : "broken",
                   tm_stack_size(), tm_stack_peak());
}

#ifdef TM_INA
/* The board reads the INA in its own supply: before and behind a window, never in one. */
static struct tm_ina bench_ina;
static struct tm_ina_reading bench_reading;
static uint64_t bench_meter_ticks, bench_meter_span, bench_meter_energy;
static uint32_t bench_meter_flags;

static TM_COLD void wait_ms(uint32_t ms)
{
    uint64_t end = tm_counter_read() + (uint64_t)(tm_counter_hz() / 1000) * ms;
    while (tm_counter_read() < end) {
    }
}

static TM_COLD int meter(uint32_t repeat, uint32_t ms, uint32_t period_us)
{
    uint64_t before = tm_counter_read();
    int error = bench_ina.chip != 0 ? 0 : tm_ina_find(&bench_ina);
    if (error == 0) {
        error = tm_ina_start(&bench_ina, period_us);
    }
    uint64_t begun = tm_counter_read();
    if (error == 0 && begun == before) {
        error = TM_INA_NO_COUNTER;
    }
    if (error != 0) {
        return error;
    }
    if (repeat > 0) {
        bench_meter_ticks = window(TM_MODEL.run, repeat, 1);
    } else {
        wait_ms(ms);
        bench_meter_ticks = net_ticks(begun, tm_counter_read());
    }
    error = tm_ina_flags(&bench_ina, &bench_meter_flags);
    bench_meter_span = tm_counter_read() - begun;
    if (error == 0) {
        error = tm_ina_energy(&bench_ina, &bench_meter_energy);
    }
    return error != 0 ? error : tm_ina_read(&bench_ina, &bench_reading);
}

static TM_COLD const char *do_meter(const struct tm_command *command, int again, uint32_t *detail)
{
    uint32_t repeat = command->meter.repeat;
    int error = again ? 0 : meter(repeat, command->meter.wait_ms, command->meter.period_us);
    if (error != 0) {
        *detail = (uint32_t)error << 24 | bench_ina.address << 16 | bench_ina.detail;
        bench_ina = (struct tm_ina){0}; /* looked for anew the next time */
        return TM_ERROR_METER;
    }
    tm_send_reading(command->meter.seq, bench_ina.chip, bench_meter_ticks, bench_meter_span,
                    bench_ina.config, bench_meter_flags, bench_reading.shunt, bench_reading.bus,
                    bench_meter_energy);
    return NULL;
}
#endif

static const char *obey(const struct tm_command *command, uint32_t seq, uint32_t *detail)
{
    int again = seq == bench_done_seq;
    switch (command->kind) {
    case TM_COMMAND_HELLO:
        send_boot();
        return NULL;
    case TM_COMMAND_DATA:
        return again ? NULL : do_data(command, detail);
    case TM_COMMAND_RUN:
        return do_run(command, again);
    case TM_COMMAND_MEMORY:
        send_memory(seq);
        return NULL;
    case TM_COMMAND_RESET:
        if (!again && TM_MODEL.reset != NULL) {
            TM_MODEL.reset();
        }
        return NULL;
#ifdef TM_INA
    case TM_COMMAND_METER:
        return do_meter(command, again, detail);
#endif
    }
    return TM_ERROR_COMMAND;
}

/* One line without its newline, `count` bytes in a buffer that has room for a terminator. */
static TM_COLD void obey_line(char *line, uint32_t count)
{
    struct tm_command command;
    uint32_t detail = 0;
    uint32_t seq = 0;
    const char *error = TM_ERROR_CHECKSUM;
    line[count] = '\0';
    if (tm_line_checked(line, count)) {
        error = tm_read_command(line, &command);
        if (error == NULL) {
            seq = command.hello.seq; /* the first field of every command */
            error = seq == 0 ? TM_ERROR_VALUE : obey(&command, seq, &detail);
        }
    }
    if (error != NULL) {
        tm_send_error(error, detail, seq);
    } else {
        bench_done_seq = seq;
        tm_send_ack(seq);
    }
}

static TM_COLD void listen(void)
{
    static char line[TM_LINE_BYTES];
    uint32_t count = 0;
    for (;;) {
        int byte = tm_console_read();
        if (byte < 0) {
#ifdef TM_CONSOLE_IRQ
            tm_console_wait();
#endif
            continue;
        }
        if (byte != '\n') {
            if (count < TM_LINE_BYTES) {
                line[count] = (char)byte;
            }
            count += count <= TM_LINE_BYTES;
            continue;
        }
        if (count >= TM_LINE_BYTES) {
            tm_send_error(TM_ERROR_TOO_LONG, TM_LINE_BYTES, 0);
        } else if (count > 0) {
            obey_line(line, count);
        }
        count = 0;
    }
}

int main(void)
{
    bench_clock = tm_clock_init();
    tm_console_init(bench_clock.hz);
    tm_trigger_init();
    tm_counter_init(bench_clock.hz);
#ifdef TM_INA
    tm_i2c_init(bench_clock.hz);
#endif
    measure_overhead();
    tm_console_write("\n", 1); /* a receiver may hold half a line from before the reset */
    TM_MODEL.init();
    send_boot();
    for (uint32_t i = 0; i < TM_MODEL.input_count; i++) {
        memset(TM_MODEL.inputs[i].data, 0, TM_MODEL.inputs[i].bytes);
    }
    infer(0, 0, 1, 0);
    send_crc(0);
    tm_send_ready();
    listen();
}
