/* A model by hand for tests of the bench firmware: y[i] = sat(a[i] + 2 b[i] + state), two steps.
 * `state` counts inferences until reset(). Like a real plan, run() may overwrite its inputs. */
#include "tm_model.h"

enum { TOY_COUNT = 490 };

static _Alignas(16) uint8_t toy_arena[3 * 496];
static int8_t *const toy_a = (int8_t *)toy_arena;
static int8_t *const toy_b = (int8_t *)toy_arena + 496;
static int8_t *const toy_y = (int8_t *)toy_arena + 992;
static int32_t toy_state;

#ifdef TOY_FAULT
void tm_fault(uint32_t number, uint32_t pc);
#endif

static int8_t toy_saturate(int32_t value)
{
    return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}

static void toy_double(void)
{
    for (int i = 0; i < TOY_COUNT; i++) {
        toy_b[i] = toy_saturate(2 * toy_b[i]);
    }
}

static void toy_add(void)
{
    for (int i = 0; i < TOY_COUNT; i++) {
        toy_y[i] = toy_saturate(toy_a[i] + toy_b[i] + toy_state);
    }
    toy_state++;
}

static void toy_init(void)
{
    toy_state = 0;
}

static void toy_run_steps(void (*after)(uint32_t step))
{
    toy_double();
    after(0);
    toy_add();
    after(1);
}

static void toy_run(void)
{
#ifdef TOY_FAULT
    if (toy_state == TOY_FAULT) {
        tm_fault(3, 0x1234);
    }
#endif
    toy_double();
    toy_add();
}

static const struct tm_tensor toy_inputs[] = {
    {"a", toy_arena, TOY_COUNT, TM_S8},
    {"b", toy_arena + 496, TOY_COUNT, TM_S8},
};
static const struct tm_tensor toy_outputs[] = {{"y", toy_arena + 992, TOY_COUNT, TM_S8}};

const struct tm_model toy_model = {
    .name = "toy",
    .engine = "hand",
    .hash = "0123456789abcdef",
    .arena = toy_arena,
    .arena_bytes = sizeof toy_arena,
    .inputs = toy_inputs,
    .outputs = toy_outputs,
    .input_count = 2,
    .output_count = 1,
    .step_count = 2,
    .init = toy_init,
    .run = toy_run,
    .reset = toy_init,
    .run_steps = toy_run_steps,
};
