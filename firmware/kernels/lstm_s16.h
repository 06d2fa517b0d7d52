/* A sequence through an LSTM, int16 with int8 weights, as TFLite-Micro computes it. Gates are in
 * the order input, forget, cell, output. Hidden state and cell are kept from one call to the next.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_LSTM_S16_H
#define TM_KERNELS_LSTM_S16_H

#include "tm_kernel.h"
#include "tm_sigmoid.h"

struct lstm_s16 {
    int32_t batches, steps, inputs, units;
    int32_t in_batch, in_step, out_batch, out_step; /* values from one to the next */
    int32_t in_zero, hidden_zero;
    int32_t forget_multiplier, forget_shift, input_multiplier, input_shift;
    int32_t hidden_multiplier, hidden_shift;
    int32_t tanh_multiplier, tanh_shift; /* bring the cell to 3 * 2^12 for 1 */
    int32_t cell_min, cell_max;
    const int8_t *input_weights;  /* [4][units][inputs] */
    const int8_t *hidden_weights; /* [4][units][units] */
    const int64_t *bias;          /* [4][units] */
    const int32_t *multiplier;    /* [2][4], of 15 bits: of the input and the hidden weights */
    const int32_t *shift;
    const int16_t *sigmoid; /* the table of tm_sigmoid.h */
};

TM_KERNEL int64_t lstm_s16_dot(const int8_t *w, const int16_t *a, int32_t zero, int32_t count)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < count; i++)
        sum += w[i] * (a[i] - zero);
    return sum;
}

/* What unit u puts into a gate, 2^12 for 1. */
TM_KERNEL int32_t lstm_s16_gate(const struct lstm_s16 *p, int32_t gate, int32_t u, const int16_t *a,
                                const int16_t *hidden)
{
    const int32_t row = gate * p->units + u;
    const int64_t x = lstm_s16_dot(p->input_weights + row * p->inputs, a, p->in_zero, p->inputs);
    const int64_t h =
        lstm_s16_dot(p->hidden_weights + row * p->units, hidden, p->hidden_zero, p->units);
    return tm_clamp_s16(
        tm_clamp_s16(tm_rescale_wide(x + p->bias[row], p->multiplier[gate], p->shift[gate])) +
        tm_clamp_s16(tm_rescale_wide(h, p->multiplier[4 + gate], p->shift[4 + gate])));
}

/* One step of one batch item; the new hidden state goes to `to`, which is not `hidden`. */
TM_KERNEL void lstm_s16_step(const struct lstm_s16 *p, const int16_t *a, const int16_t *hidden,
                             int16_t *cell, int16_t *to)
{
    for (int32_t u = 0; u < p->units; u++) {
        const int32_t input = tm_sigmoid(p->sigmoid, 3 * lstm_s16_gate(p, 0, u, a, hidden));
        const int32_t forget = tm_sigmoid(p->sigmoid, 3 * lstm_s16_gate(p, 1, u, a, hidden));
        const int32_t fresh = tm_tanh(p->sigmoid, 3 * lstm_s16_gate(p, 2, u, a, hidden));
        const int32_t output = tm_sigmoid(p->sigmoid, 3 * lstm_s16_gate(p, 3, u, a, hidden));
        const int32_t kept = tm_rescale(forget * cell[u], p->forget_multiplier, p->forget_shift);
        const int32_t added = tm_rescale(input * fresh, p->input_multiplier, p->input_shift);
        const int32_t sum = tm_clamp_s16(tm_clamp_s16(kept) + tm_clamp_s16(added));
        cell[u] = (int16_t)tm_clamp(sum, p->cell_min, p->cell_max);
        const int32_t round = p->tanh_shift > 0 ? 1 << (p->tanh_shift - 1) : 0;
        const int32_t scaled = (cell[u] * p->tanh_multiplier + round) >> p->tanh_shift;
        const int32_t v = tm_rescale(tm_tanh(p->sigmoid, scaled) * output,
                                     p->hidden_multiplier, p->hidden_shift);
        to[u] = (int16_t)tm_clamp_s16(v + p->hidden_zero);
    }
}

TM_KERNEL void lstm_s16(const struct lstm_s16 *p, int32_t y0, int32_t y1, struct tm_in in,
                        struct tm_out out, struct tm_out hidden, struct tm_out cell, void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    for (int32_t n = 0; n < p->batches; n++) {
        int16_t *state = (int16_t *)hidden.base + n * p->units;
        for (int32_t t = 0; t < p->steps; t++) {
            int16_t *to = (int16_t *)out.base + n * p->out_batch + t * p->out_step;
            lstm_s16_step(p, (const int16_t *)in.base + n * p->in_batch + t * p->in_step, state,
                         (int16_t *)cell.base + n * p->units, to);
            memcpy(state, to, (size_t)p->units * sizeof(int16_t));
        }
    }
}

#endif
