/* A sequence through an LSTM, float32, as TFLite-Micro computes it. Gates are in the order input,
 * forget, cell, output. Hidden state and cell are kept from one call to the next.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_LSTM_F32_H
#define TM_KERNELS_LSTM_F32_H

#include <math.h>

#include "tm_kernel.h"

struct lstm_f32 {
    int32_t batches, steps, inputs, units;
    int32_t in_batch, in_step, out_batch, out_step; /* values from one to the next */
    float cell_min, cell_max;
    const float *input_weights;  /* [4][units][inputs] */
    const float *hidden_weights; /* [4][units][units] */
    const float *bias;           /* [4][units] */
};

TM_KERNEL float lstm_f32_dot(const float *w, const float *a, int32_t count)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < count; i++)
        sum += w[i] * a[i];
    return sum;
}

/* As in logistic_f32.h. */
TM_KERNEL float lstm_f32_sigmoid(float v)
{
    if (v > 16.619047f)
        return 1.0f;
    return v < -9.0f ? expf(v) : 1.0f / (1.0f + expf(-v));
}

/* What unit u puts into a gate. */
TM_KERNEL float lstm_f32_gate(const struct lstm_f32 *p, int32_t gate, int32_t u, const float *a,
                              const float *hidden)
{
    const int32_t row = gate * p->units + u;
    const float x = lstm_f32_dot(p->input_weights + row * p->inputs, a, p->inputs);
    const float h = lstm_f32_dot(p->hidden_weights + row * p->units, hidden, p->units);
    return x + p->bias[row] + h;
}

/* One step of one batch item; the new hidden state goes to `to`, which is not `hidden`. */
TM_KERNEL void lstm_f32_step(const struct lstm_f32 *p, const float *a, const float *hidden,
                             float *cell, float *to)
{
    for (int32_t u = 0; u < p->units; u++) {
        const float input = lstm_f32_sigmoid(lstm_f32_gate(p, 0, u, a, hidden));
        const float forget = lstm_f32_sigmoid(lstm_f32_gate(p, 1, u, a, hidden));
        const float fresh = tanhf(lstm_f32_gate(p, 2, u, a, hidden));
        const float output = lstm_f32_sigmoid(lstm_f32_gate(p, 3, u, a, hidden));
        const float kept = forget * cell[u], added = input * fresh;
        cell[u] = tm_clamp_f32(kept + added, p->cell_min, p->cell_max);
        to[u] = tanhf(cell[u]) * output;
    }
}

TM_KERNEL void lstm_f32(const struct lstm_f32 *p, int32_t y0, int32_t y1, struct tm_in in,
                        struct tm_out out, struct tm_out hidden, struct tm_out cell, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    for (int32_t n = 0; n < p->batches; n++) {
        float *state = (float *)hidden.base + n * p->units;
        for (int32_t t = 0; t < p->steps; t++) {
            float *to = (float *)out.base + n * p->out_batch + t * p->out_step;
            lstm_f32_step(p, (const float *)in.base + n * p->in_batch + t * p->in_step, state,
                          (float *)cell.base + n * p->units, to);
            memcpy(state, to, (size_t)p->units * sizeof *state);
        }
    }
}

#endif
