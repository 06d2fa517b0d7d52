/* What every engine gives an application: one constant `struct tm_model` per model. */
#ifndef TM_MODEL_H
#define TM_MODEL_H

#include <stdint.h>

enum tm_dtype { TM_S8, TM_U8, TM_S16, TM_S32, TM_S64, TM_F32, TM_BOOL, TM_U32, TM_U64 };

struct tm_tensor {
    const char *name;   /* signature name, printable ASCII without spaces */
    void *data;         /* in the arena */
    uint32_t bytes;
    enum tm_dtype dtype;
};

struct tm_model {
    const char *name;
    const char *engine;
    const char *hash;   /* first 16 hex digits of the SHA-256 of model.tflite */
    uint8_t *arena;     /* activations and scratch: exactly arena_bytes, 16-byte aligned */
    uint32_t arena_bytes;
    const struct tm_tensor *inputs;
    const struct tm_tensor *outputs;
    uint16_t input_count, output_count;
    uint16_t step_count; /* items of the schedule, as numbered in plan.json */
    void (*init)(void);
    void (*run)(void);  /* inputs may be overwritten: refill them before each run */
    void (*reset)(void); /* forget state kept between runs */
    /* run(), calling `after(step)` behind every step: how an application times layers. */
    void (*run_steps)(void (*after)(uint32_t step));
};

#endif
