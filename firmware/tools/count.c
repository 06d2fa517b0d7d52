/* A plugin for QEMU's TCG: what one inference executes, block by block and step by step.
 *
 * It counts from the return of the function at `begin` to the entry of the one at `end`, then
 * writes `out` and ends the emulator. The functions at `step` (as often as there are steps) are
 * entered in the order of the schedule: what runs from one entry to the next belongs to that step,
 * whichever function it is in. Built on demand by tinyml/counting.py, which describes the file.
 *
 * The plugin interface is declared here as far as it is used, so that no QEMU header is needed:
 * these functions are the same from version 1 (QEMU 6, 7 and 8) to the newest. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PLUGIN_VERSION
#define PLUGIN_VERSION 1
#endif
#define SHOWN __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated)(uint64_t plugin, struct qemu_plugin_tb *block);
typedef void (*executed)(unsigned cpu, void *data);
typedef void (*accessed)(unsigned cpu, uint32_t info, uint64_t address, void *data);
enum { NO_REGISTERS = 0, LOADS = 1, STORES = 2 };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t plugin, translated function);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, executed function,
                                          int registers, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *instruction, accessed function,
                                      int registers, int accesses, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
bool qemu_plugin_mem_is_store(uint32_t info);
unsigned qemu_plugin_mem_size_shift(uint32_t info);

SHOWN int qemu_plugin_version = PLUGIN_VERSION;
SHOWN int qemu_plugin_install(uint64_t plugin, const void *info, int count, char **arguments);

#define MOST_STEPS 4096
#define MOST_LINES 1024
#define ALIVE (1u << 24) /* executed blocks between signs of life */

/* What a block did in one step. */
struct sums {
    uint64_t count;
    uint64_t left;      /* times it was not followed by the block behind it */
    uint64_t unaligned; /* more accesses than an aligned one takes */
};

struct block {
    uint32_t start;
    uint32_t last;
    uint32_t end; /* or 2 more: see follows() */
    uint32_t instructions;
    bool begin, stop, step;
    struct sums *sums; /* [steps + 1], the first for what is outside of any */
    struct block *next;
};

/* Lines of a cache in front of the flash, the last used first; each has a bit for every read of the
 * flash that it holds. */
struct cache {
    uint32_t lines;
    uint64_t *misses; /* [steps + 1] flash reads */
    struct line {
        uint32_t number;
        uint64_t valid;
    } line[MOST_LINES];
};

static uint32_t begin_address, end_address;
static uint32_t steps[MOST_STEPS], step_count;
static uint32_t flash_start, flash_end, read_bytes, line_bytes;
static uint32_t stack_start, stack_end, stack_least;
static bool timed;
static const char *out;

static struct block *blocks, *last;
static struct cache code, data;
static bool counting;
static uint32_t now; /* 0: no step yet */
static uint32_t last_step;
static uint64_t executed_blocks;

static bool in(uint32_t address, uint32_t start, uint32_t end)
{
    return address >= start && address < end;
}

/* Whether `next` is what lies behind a block. QEMU looks beyond a block that ends in front of an
 * instruction across two pages, and counts that instruction's first half as the block's. */
static bool follows(const struct block *next, const struct block *block)
{
    return next->start == block->end ||
           (next->start == block->end - 2 && next->start != block->last);
}

static void read_flash(struct cache *cache, uint32_t address)
{
    uint32_t number = address / line_bytes;
    uint64_t bit = (uint64_t)1 << (address % line_bytes / read_bytes);
    uint32_t at = 0;
    while (at < cache->lines && cache->line[at].number != number) {
        at++;
    }
    struct line line = {number, 0};
    if (at < cache->lines) {
        line = cache->line[at];
    } else if (at > 0) {
        at--; /* replaces the one that was not used for longest */
    }
    if (!(line.valid & bit)) {
        cache->misses[now]++;
        line.valid |= bit;
    }
    if (cache->lines) {
        memmove(&cache->line[1], &cache->line[0], at * sizeof line);
        cache->line[0] = line;
    }
}

static void write_misses(FILE *file, const char *name, const struct cache *cache)
{
    for (uint32_t step = 0; step <= step_count; step++) {
        if (cache->misses[step]) {
            fprintf(file, "%s %" PRIu32 " %" PRIu64 "\n", name, step, cache->misses[step]);
        }
    }
}

static void finish(void)
{
    FILE *file = fopen(out, "w");
    if (file == NULL) {
        perror(out);
        _exit(1);
    }
    for (const struct block *block = blocks; block != NULL; block = block->next) {
        for (uint32_t step = 0; block->sums != NULL && step <= step_count; step++) {
            const struct sums *sums = &block->sums[step];
            if (sums->count) {
                fprintf(file, "block %" PRIu32 " %" PRIx32 " %" PRIu32, step, block->start,
                        block->instructions);
                fprintf(file, " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", sums->count, sums->left,
                        sums->unaligned);
            }
        }
    }
    write_misses(file, "code", &code);
    write_misses(file, "data", &data);
    fprintf(file, "stack %" PRIu32 "\n", stack_end - stack_least);
    fprintf(file, "end %" PRIu32 "\n", now);
    if (fclose(file) != 0) {
        perror(out);
        _exit(1);
    }
    _exit(0); /* exit() would wait for this very thread */
}

static void on_block(unsigned cpu, void *pointer)
{
    struct block *block = pointer;
    (void)cpu;
    if (!counting) {
        counting = block->begin;
        return; /* what follows is the return of the empty function */
    }
    if (last != NULL && !follows(block, last)) {
        last->sums[last_step].left++;
    }
    if (block->stop) {
        finish();
    }
    if (block->step && now < step_count) {
        now++;
        printf("step %" PRIu32 "\n", now);
        fflush(stdout);
    }
    if (block->sums == NULL) {
        block->sums = calloc(step_count + 1, sizeof *block->sums);
        if (block->sums == NULL) {
            abort();
        }
    }
    block->sums[now].count++;
    last = block;
    last_step = now;
    if (++executed_blocks % ALIVE == 0) {
        puts("alive");
        fflush(stdout);
    }
    if (read_bytes && in(block->start, flash_start, flash_end)) {
        for (uint32_t at = block->start / read_bytes * read_bytes; at < block->end;
             at += read_bytes) {
            read_flash(&code, at);
        }
    }
}

static void on_access(unsigned cpu, uint32_t info, uint64_t wide, void *pointer)
{
    struct block *block = pointer;
    uint32_t address = (uint32_t)wide;
    (void)cpu;
    if (!counting || block->sums == NULL) {
        return;
    }
    if (qemu_plugin_mem_is_store(info)) {
        if (in(address, stack_start, stack_least)) {
            stack_least = address;
        }
    } else if (read_bytes && in(address, flash_start, flash_end)) {
        read_flash(&data, address);
    }
    /* A word at an odd address takes three accesses, other unaligned ones two. */
    uint32_t bytes = 1u << qemu_plugin_mem_size_shift(info);
    if (address & (bytes - 1)) {
        block->sums[now].unaligned += bytes == 4 && (address & 1) ? 2 : 1;
    }
}

static bool is_step(uint32_t address)
{
    for (uint32_t i = 0; i < step_count; i++) {
        if (steps[i] == address) {
            return true;
        }
    }
    return false;
}

static void on_translation(uint64_t plugin, struct qemu_plugin_tb *translation)
{
    size_t count = qemu_plugin_tb_n_insns(translation);
    struct block *block = calloc(1, sizeof *block);
    (void)plugin;
    if (block == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(translation, i);
        uint32_t address = (uint32_t)qemu_plugin_insn_vaddr(instruction);
        if (i == 0) {
            block->start = address;
        }
        block->last = address;
        block->end = address + (uint32_t)qemu_plugin_insn_size(instruction);
        qemu_plugin_register_vcpu_mem_cb(instruction, on_access, NO_REGISTERS,
                                         timed ? LOADS | STORES : STORES, block);
    }
    block->instructions = (uint32_t)count;
    block->begin = block->start == begin_address;
    block->stop = block->start == end_address;
    block->step = is_step(block->start);
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(translation, on_block, NO_REGISTERS, block);
}

static uint32_t *number_named(const char *name, size_t length)
{
    static const struct {
        const char *name;
        uint32_t *value;
    } numbers[] = {
        {"begin", &begin_address},     {"end", &end_address},
        {"flash_start", &flash_start}, {"flash_end", &flash_end},
        {"read_bytes", &read_bytes},   {"line_bytes", &line_bytes},
        {"code_lines", &code.lines},   {"data_lines", &data.lines},
        {"stack_start", &stack_start}, {"stack_end", &stack_end},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strlen(numbers[i].name) == length && memcmp(numbers[i].name, name, length) == 0) {
            return numbers[i].value;
        }
    }
    return NULL;
}

static bool read_argument(const char *argument)
{
    const char *equals = strchr(argument, '=');
    if (equals == NULL) {
        return false;
    }
    size_t length = (size_t)(equals - argument);
    uint32_t value = (uint32_t)strtoul(equals + 1, NULL, 0);
    uint32_t *number = number_named(argument, length);
    if (number != NULL) {
        *number = value;
    } else if (strncmp(argument, "out=", 4) == 0) {
        out = strdup(equals + 1);
    } else if (strncmp(argument, "timed=", 6) == 0) {
        timed = value != 0;
    } else if (strncmp(argument, "step=", 5) == 0 && step_count < MOST_STEPS) {
        steps[step_count++] = value;
    } else {
        return false;
    }
    return true;
}

SHOWN int qemu_plugin_install(uint64_t plugin, const void *info, int count, char **arguments)
{
    (void)info;
    for (int i = 0; i < count; i++) {
        if (!read_argument(arguments[i])) {
            fprintf(stderr, "count: no use for %s\n", arguments[i]);
            return 1;
        }
    }
    bool cached = read_bytes == 0 || (line_bytes >= read_bytes && line_bytes / read_bytes <= 64);
    if (out == NULL || !begin_address || !end_address || !cached || code.lines > MOST_LINES ||
        data.lines > MOST_LINES) {
        fputs("count: begin, end, out, or a cache of another size\n", stderr);
        return 1;
    }
    code.misses = calloc(step_count + 1, sizeof *code.misses);
    data.misses = calloc(step_count + 1, sizeof *data.misses);
    for (uint32_t i = 0; i < MOST_LINES; i++) {
        code.line[i].number = data.line[i].number = UINT32_MAX;
    }
    stack_least = stack_end;
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, on_translation);
    return code.misses == NULL || data.misses == NULL;
}
