// Replays a trace through malloc, calloc, realloc and free and prints what it cost. Which allocator
// that is, LD_PRELOAD decides; --expect makes sure of it.
//
//     replay --expect=libmimalloc.so.2 time git.trace
//     ns=12345678 ops=200000
//     replay --expect=libmimalloc.so.2 memory git.trace
//     peak=3145728 payload=2097152 ops=200000
//     replay --expect=libmimalloc.so.2 --rounds=3 time git.trace
//     ns=12345678 ops=200000
//     ns2=9345678
//     ns3=9344444
//
// Rounds replay the trace again in the same process, where the allocator is warm. What the trace leaves
// live is freed between two rounds, so that memory does not grow; no round's time has that in it. A round
// in which a request is refused is the last, and is not printed: it did less work than the others.
//
// The time is processor time, so that other programs on the machine disturb less. Between two readings
// of the clock the program makes no allocator call of its own. It touches blocks as programs do: a
// fresh block is filled, a block is read before it is freed. All operations run in one thread, in the
// order of the trace.

#include "../trace/trace.h"
#include "measure.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SAMPLES = 1000,
    PEAK_ERROR = 1 << 18, // bytes; Linux 6 counts 32 pages on each processor before it adds them up
};

struct held {
    char *block; // NULL: the slot is empty, or its request was refused
    size_t size;
};

struct replay {
    struct held *slots;
    size_t refused;
    size_t payload; // bytes of the blocks that are live; counted for --memory
    size_t peak; // bytes of memory, at most
    bool full; // the payload has been at its largest
    unsigned read; // of what was read: nothing may be left out as useless
};

// What a program does with a block before it gives it back.
static void use(struct replay *replay, const struct held *held)
{
    if (held->size > 0 && held->block != NULL)
        replay->read += (unsigned char)held->block[0];
}

static void keep(struct replay *replay, struct held *held, char *block, size_t size)
{
    *held = (struct held){block, size};
    if (block == NULL)
        replay->refused++;
}

static void do_malloc(struct replay *replay, struct held *held, size_t size)
{
    keep(replay, held, malloc(size), size);
    if (held->block != NULL)
        touch(held->block, 0, size);
}

static void do_calloc(struct replay *replay, struct held *held, size_t size)
{
    keep(replay, held, calloc(1, size), size);
    use(replay, held);
    if (held->block != NULL)
        touch(held->block, 0, size);
}

static void do_free(struct replay *replay, struct held *held)
{
    use(replay, held);
    free(held->block);
    held->block = NULL;
}

static void do_realloc(struct replay *replay, struct held *held, size_t size)
{
    if (size == 0) {
        do_free(replay, held);
        return;
    }
    use(replay, held);
    size_t before = held->block == NULL ? 0 : held->size;
    char *block = realloc(held->block, size);
    if (block == NULL) {
        replay->refused++;
        return;
    }
    *held = (struct held){block, size};
    if (size > before)
        touch(block, before, size);
}

static void replay_op(struct replay *replay, const struct trace_op *op)
{
    if (op->slot == TRACE_NULL) {
        free(NULL);
        return;
    }
    struct held *held = &replay->slots[op->slot];
    switch ((enum trace_kind)op->kind) {
    case TRACE_MALLOC:
        do_malloc(replay, held, op->size);
        break;
    case TRACE_CALLOC:
        do_calloc(replay, held, op->size);
        break;
    case TRACE_REALLOC:
        do_realloc(replay, held, op->size);
        break;
    case TRACE_FREE:
        do_free(replay, held);
        break;
    }
}

static uint64_t replay_time(struct replay *replay, const struct trace *trace)
{
    uint64_t start = processor_time();
    for (size_t i = 0; i < trace->count; i++)
        replay_op(replay, &trace->ops[i]);
    return processor_time() - start;
}

static void free_live(struct replay *replay, const struct trace *trace)
{
    for (size_t slot = 0; slot < trace->slots; slot++)
        if (replay->slots[slot].block != NULL)
            do_free(replay, &replay->slots[slot]);
}

// A function of its own in the program too: callgrind counts the instructions within it, by its name.
__attribute__((noinline)) static void replay_rounds(struct replay *replay,
                                                    const struct trace *trace, size_t rounds)
{
    for (size_t round = 1; round <= rounds; round++) {
        if (round > 1)
            free_live(replay, trace);
        uint64_t ns = replay_time(replay, trace);
        if (replay->refused > 0)
            return;
        if (round == 1)
            print_line("ns=%" PRIu64 " ops=%zu", ns, trace->count);
        else
            print_line("ns%zu=%" PRIu64, round, ns);
    }
}

static size_t payload_of(const struct replay *replay, const struct trace_op *op)
{
    const struct held *held = op->slot == TRACE_NULL ? NULL : &replay->slots[op->slot];
    return held == NULL || held->block == NULL ? 0 : held->size;
}

static void memory_sample(struct replay *replay)
{
    size_t bytes = memory_now();
    if (bytes > replay->peak)
        replay->peak = bytes;
}

// The kernel knows the present memory exactly, and its peak up to PEAK_ERROR. So it is asked at many
// points, and where the program's payload is largest; what rises and falls in between, such as the
// two blocks of a realloc, shows in the kernel's own peak.
static void replay_memory(struct replay *replay, const struct trace *trace)
{
    size_t interval = trace->count / SAMPLES + 1;
    memory_reset();
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_op *op = &trace->ops[i];
        size_t before = payload_of(replay, op);
        replay_op(replay, op);
        replay->payload += payload_of(replay, op) - before;
        bool now_full = !replay->full && replay->payload == trace->peak_payload;
        if (i % interval == 0 || now_full)
            memory_sample(replay);
        replay->full = replay->full || now_full;
    }
    memory_sample(replay);
    size_t peak = memory_peak();
    if (peak > replay->peak + PEAK_ERROR)
        replay->peak = peak - PEAK_ERROR;
    if (replay->refused == 0)
        print_line("peak=%zu payload=%zu ops=%zu", replay->peak, trace->peak_payload, trace->count);
}

// The trace, in a table of ours: parsing it touched more memory than the trace has.
static struct trace read_trace(const char *path)
{
    struct trace trace;
    struct trace_error error;
    if (!trace_read(path, &trace, &error)) {
        trace_print_error(path, &error);
        _exit(EXIT_USAGE);
    }
    size_t bytes = trace.count * sizeof *trace.ops;
    struct trace copy = trace;
    copy.ops = map_memory(bytes);
    memcpy(copy.ops, trace.ops, bytes);
    trace_release(&trace);
    return copy;
}

int main(int count, char **arguments)
{
    static const char usage[] =
        "replay [--expect=OBJECT] [--limit=SECONDS] [--rounds=N] time TRACE\n"
        "       replay [--expect=OBJECT] [--limit=SECONDS] memory TRACE";
    size_t rounds = 1;
    measure_rounds(&rounds);
    int first = measure_options(count, arguments, 2, usage);
    bool memory = strcmp(arguments[first], "memory") == 0;
    if ((!memory && strcmp(arguments[first], "time") != 0) || rounds == 0 || (memory && rounds > 1))
        fail(EXIT_USAGE, "usage", usage);
    struct trace trace = read_trace(arguments[first + 1]);
    struct replay replay = {.slots = map_memory(trace.slots * sizeof(struct held))};
    if (memory)
        replay_memory(&replay, &trace);
    else
        replay_rounds(&replay, &trace, rounds);
    return replay.refused > 0 ? EXIT_REFUSED : EXIT_SUCCESS;
}
