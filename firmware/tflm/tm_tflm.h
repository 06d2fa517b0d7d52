/* A TFLite-Micro interpreter in one arena: what a generated tflm_model.cc starts, runs and times.
 * No heap, no static constructor, and nothing destroyed. */
#ifndef TM_TFLM_H
#define TM_TFLM_H

#include <cstddef>
#include <cstdint>
#include <new>

#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"

/* Says why and does not return. */
extern "C" void tm_tflm_stop(const char *why);

/* TFLite-Micro's profiler calls back behind each operator of the main subgraph. Those in the body
 * of an IF or WHILE begin while it is open, and count as part of it. */
class tm_tflm_steps : public tflite::MicroProfilerInterface {
public:
    void start(void (*after)(uint32_t step))
    {
        after_ = after;
        step_ = 0;
        open_ = 0;
    }

    uint32_t BeginEvent(const char *) override
    {
        return open_++;
    }

    void EndEvent(uint32_t event) override
    {
        open_ = event;
        if (event == 0 && after_ != nullptr) {
            after_(step_++);
        }
    }

    TF_LITE_REMOVE_VIRTUAL_DELETE

private:
    void (*after_)(uint32_t step) = nullptr;
    uint32_t step_ = 0;
    uint32_t open_ = 0;
};

/* The arena is divided as MicroInterpreter's own constructor does it: allocator and planner at its
 * end, with all else that stays; tensors and scratch from its start. */
class tm_tflm_interpreter {
public:
    void start(const void *flatbuffer, const tflite::MicroOpResolver &operators, uint8_t *arena,
               size_t arena_bytes, int variables)
    {
        const tflite::Model *model = tflite::GetModel(flatbuffer);
        if (model->version() != TFLITE_SCHEMA_VERSION) {
            tm_tflm_stop("the model has another schema version");
        }
        if (arena_bytes < kLeastBytes) { /* the allocator itself would not fit */
            tm_tflm_stop("the arena is too small");
        }
        memory_ = tflite::SingleArenaBufferAllocator::Create(arena, arena_bytes);
        uint8_t *planner = memory_->AllocatePersistentBuffer(sizeof(tflite::GreedyMemoryPlanner),
                                                             alignof(tflite::GreedyMemoryPlanner));
        tflite::MicroAllocator *allocator = tflite::MicroAllocator::Create(
            memory_, new (planner) tflite::GreedyMemoryPlanner());
        tflite::MicroResourceVariables *resources = nullptr;
        if (variables > 0) {
            resources = tflite::MicroResourceVariables::Create(allocator, variables);
        }
        interpreter_ = new (bytes_) tflite::MicroInterpreter(model, operators, allocator, resources,
                                                             new (steps_) tm_tflm_steps());
        if (interpreter_->AllocateTensors() != kTfLiteOk) {
            tm_tflm_stop("the tensors cannot be allocated: the arena may be too small");
        }
    }

    void run(void (*after)(uint32_t step))
    {
        reinterpret_cast<tm_tflm_steps *>(steps_)->start(after);
        if (interpreter_->Invoke() != kTfLiteOk) {
            tm_tflm_stop("an operator failed");
        }
    }

    void reset()
    {
        interpreter_->Reset();
    }

    /* By the order in the model file; its size must be the one the application was told. */
    void *input(size_t index, size_t bytes)
    {
        return data(interpreter_->input(index), bytes);
    }

    void *output(size_t index, size_t bytes)
    {
        return data(interpreter_->output(index), bytes);
    }

    size_t persistent_bytes() const
    {
        return memory_->GetPersistentUsedBytes();
    }

    size_t head_bytes() const
    {
        return memory_->GetNonPersistentUsedBytes();
    }

private:
    static constexpr size_t kLeastBytes = 512;

    static void *data(TfLiteTensor *tensor, size_t bytes)
    {
        if (tensor == nullptr || tensor->bytes != bytes) {
            tm_tflm_stop("an input or output has another size than the model file said");
        }
        return tensor->data.data;
    }

    tflite::SingleArenaBufferAllocator *memory_;
    tflite::MicroInterpreter *interpreter_;
    alignas(tflite::MicroInterpreter) uint8_t bytes_[sizeof(tflite::MicroInterpreter)];
    alignas(tm_tflm_steps) uint8_t steps_[sizeof(tm_tflm_steps)];
};

#endif
