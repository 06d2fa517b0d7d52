/* Declarations of TFLite-Micro's interface, as far as the generated C++ uses it: enough for its
 * syntax and types to be checked where there is no TFLite-Micro. */
#ifndef TFLM_STUB_H
#define TFLM_STUB_H

#include <stddef.h>
#include <stdint.h>

#define TFLITE_SCHEMA_VERSION (3)
#define TF_LITE_REMOVE_VIRTUAL_DELETE \
    void operator delete(void *)      \
    {                                 \
    }

void MicroPrintf(const char *format, ...);

enum TfLiteStatus { kTfLiteOk, kTfLiteError };
struct TFLMRegistration;
struct TfLiteTensor {
    union {
        void *data;
    } data;
    size_t bytes;
};

namespace tflite {

struct Model {
    uint32_t version() const;
};
const Model *GetModel(const void *flatbuffer);

class MicroOpResolver {
};

class SingleArenaBufferAllocator {
public:
    static SingleArenaBufferAllocator *Create(uint8_t *arena, size_t bytes);
    uint8_t *AllocatePersistentBuffer(size_t bytes, size_t alignment);
    size_t GetPersistentUsedBytes() const;
    size_t GetNonPersistentUsedBytes() const;
};

class MicroMemoryPlanner {
};

class GreedyMemoryPlanner : public MicroMemoryPlanner {
public:
    GreedyMemoryPlanner();
};

class MicroAllocator {
public:
    static MicroAllocator *Create(SingleArenaBufferAllocator *memory, MicroMemoryPlanner *planner);
};

class MicroResourceVariables {
public:
    static MicroResourceVariables *Create(MicroAllocator *allocator, int count);
};

class MicroProfilerInterface {
public:
    virtual ~MicroProfilerInterface()
    {
    }
    virtual uint32_t BeginEvent(const char *tag) = 0;
    virtual void EndEvent(uint32_t event) = 0;
};

class MicroInterpreter {
public:
    MicroInterpreter(const Model *model, const MicroOpResolver &operators,
                     MicroAllocator *allocator, MicroResourceVariables *variables,
                     MicroProfilerInterface *profiler);
    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteStatus Reset();
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);
};

/* Any Add method the test's model needs is declared by the test: STUB_ADD. */
template <unsigned int count> class MicroMutableOpResolver : public MicroOpResolver {
public:
    TfLiteStatus AddCustom(const char *name, const TFLMRegistration *registration);
    STUB_ADD
};

}  // namespace tflite

#endif
