// Replays a trace on the stage that it is linked with, and verifies what the allocator did: every
// block holds a pattern of its own, which must still be there when the block is resized or freed and
// at the end; payloads are aligned, calloc gives zeros, the heap's invariants hold.
// usage: replay FILE
//
// The threads of a trace are real threads. They take turns in the order of the file, so that a replay
// is the same each time, and stages 1 to 4 serve one thread at a time.
//
// The tables lie in memory from mmap, and no ma_ function is called but for the trace's operations.

#define _POSIX_C_SOURCE 200809L // for pthreads under -std=c11

#include "allocator.h"
#include "trace.h"

#include "table.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHECK_INTERVAL_MIN =
        100, // operations between two checks of the heap, or as many as it has blocks
    FAILURE_MAX = 200,
    WORD = sizeof(uint64_t),
};

// The block in a slot. NULL: none, or its request was refused.
struct held {
    unsigned char *payload;
    size_t size; // as it was granted
    uint64_t pattern;
};

struct counts {
    size_t requests; // malloc, calloc and realloc
    size_t refused;
    size_t skipped; // operations on a block that was refused
    size_t verified; // times that a block's contents were compared
    size_t verified_bytes;
    size_t heap_checks;
};

struct replay {
    const char *path;
    const struct trace *trace;
    struct held *held; // by slot
    size_t position; // of the operation that is being done
    size_t next_check;
    size_t peak_position; // of the operation after which most bytes are live
    size_t payload; // granted and live
    struct ma_stats peak; // after that operation
    size_t peak_payload; // likewise
    struct counts counts;
    char failure[FAILURE_MAX]; // "": none
};

// One thread of the trace. Who may go on is the thread of the operation at position.
struct player {
    pthread_t thread;
    pthread_cond_t turn; // it is this one's
    uint16_t number;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; // of the replay
static struct player *players; // by number

static struct replay replay; // the misuse handler has no other way to it

// --- failures -------------------------------------------------------------------------------------

// The first failure is the one that counts. Nothing more is replayed.
__attribute__((format(printf, 1, 2))) static bool fail(const char *format, ...)
{
    if (replay.failure[0] != '\0')
        return false;
    int used = snprintf(replay.failure, FAILURE_MAX, "operation %zu: ", replay.position + 1);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(replay.failure + used, (size_t)(FAILURE_MAX - used), format, arguments);
    va_end(arguments);
    return false;
}

// The trace is valid, so it is the allocator that is wrong.
static void hear_misuse(const char *message)
{
    fail("%s", message);
}

// --- contents -------------------------------------------------------------------------------------

// The pattern's next block, and its word at an index: odd multipliers keep words apart.
static uint64_t new_pattern(void)
{
    return (replay.position + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

static uint64_t pattern_word(const struct held *held, size_t index)
{
    return held->pattern ^ index * UINT64_C(0xBF58476D1CE4E5B9);
}

// Bytes of the word that begins at an offset.
static size_t word_bytes(const struct held *held, size_t offset)
{
    return held->size - offset < WORD ? held->size - offset : WORD;
}

// Writes from the word on that holds the byte at an offset.
static void fill(const struct held *held, size_t from)
{
    for (size_t offset = from / WORD * WORD; offset < held->size; offset += WORD) {
        uint64_t word = pattern_word(held, offset / WORD);
        memcpy(held->payload + offset, &word, word_bytes(held, offset));
    }
}

static bool fail_contents(const struct held *held, size_t offset)
{
    return fail("a block of %zu bytes is overwritten between bytes %zu and %zu", held->size, offset,
                offset + word_bytes(held, offset) - 1);
}

// Compares the first bytes of a block with what was written there.
static bool verify(const struct held *held, size_t bytes)
{
    replay.counts.verified++;
    replay.counts.verified_bytes += bytes;
    size_t whole = bytes / WORD * WORD;
    for (size_t offset = 0; offset < whole; offset += WORD) {
        uint64_t found;
        memcpy(&found, held->payload + offset, WORD);
        if (found != pattern_word(held, offset / WORD))
            return fail_contents(held, offset);
    }
    uint64_t last = pattern_word(held, whole / WORD);
    return memcmp(held->payload + whole, &last, bytes - whole) == 0 || fail_contents(held, whole);
}

static bool verify_zero(const struct held *held)
{
    for (size_t offset = 0; offset < held->size; offset++)
        if (held->payload[offset] != 0)
            return fail("calloc of %zu bytes: byte %zu is 0x%02x", held->size, offset,
                        (unsigned)held->payload[offset]);
    return true;
}

// Stage 1 keeps no sizes: it answers 0.
static bool verify_place(const struct held *held)
{
    if ((uintptr_t)held->payload % _Alignof(max_align_t) != 0)
        return fail("%p is not aligned to %zu bytes", (void *)held->payload, _Alignof(max_align_t));
    size_t usable = ma_usable_size(held->payload);
    if (usable != 0 && usable < held->size)
        return fail("%zu of %zu bytes are usable", usable, held->size);
    return true;
}

// --- operations -----------------------------------------------------------------------------------

static bool replay_malloc(const struct trace_op *op)
{
    struct held *held = &replay.held[op->slot];
    bool zero = op->kind == TRACE_CALLOC;
    replay.counts.requests++;
    *held = (struct held){
        .payload = zero ? ma_calloc(1, op->size) : ma_malloc(op->size),
        .size = op->size,
        .pattern = new_pattern(),
    };
    if (held->payload == NULL) {
        replay.counts.refused++;
        return true;
    }
    replay.payload += op->size;
    if (!verify_place(held) || (zero && !verify_zero(held)))
        return false;
    fill(held, 0);
    return true;
}

static bool replay_free(const struct trace_op *op)
{
    if (op->slot == TRACE_NULL) {
        ma_free(NULL);
        return true;
    }
    struct held held = replay.held[op->slot];
    replay.held[op->slot] = (struct held){.payload = NULL};
    if (held.payload == NULL) {
        replay.counts.skipped++;
        return true;
    }
    replay.payload -= held.size;
    if (!verify(&held, held.size))
        return false;
    if (op->kind == TRACE_FREE)
        ma_free(held.payload);
    else if (ma_realloc(held.payload, 0) != NULL)
        return fail("realloc to 0 bytes gives a block");
    return true;
}

static bool replay_realloc(const struct trace_op *op)
{
    struct held *held = &replay.held[op->slot];
    if (op->size == 0)
        return replay_free(op);
    if (held->payload == NULL) {
        replay.counts.skipped++;
        return true;
    }
    replay.counts.requests++;
    if (!verify(held, held->size))
        return false;
    unsigned char *payload = ma_realloc(held->payload, op->size);
    if (payload == NULL) { // the old block is as it was: a later free verifies that
        replay.counts.refused++;
        return true;
    }
    size_t kept = held->size < op->size ? held->size : op->size;
    replay.payload += op->size - held->size;
    held->payload = payload;
    held->size = op->size;
    if (!verify_place(held) || !verify(held, kept))
        return false;
    fill(held, kept);
    return true;
}

static bool replay_operation(const struct trace_op *op)
{
    if (op->kind == TRACE_FREE)
        return replay_free(op);
    return op->kind == TRACE_REALLOC ? replay_realloc(op) : replay_malloc(op);
}

// --- the heap -------------------------------------------------------------------------------------

// A check costs as much as the heap has blocks: after as many operations the next one is due.
static bool check_heap(void)
{
    const char *broken = ma_heap_check(ma_default_heap());
    if (broken != NULL)
        return fail("broken invariant: %s", broken);
    struct ma_stats stats = ma_heap_stats(ma_default_heap());
    size_t blocks = stats.live_blocks + stats.free_blocks + stats.cached_blocks;
    size_t interval = blocks > CHECK_INTERVAL_MIN ? blocks : CHECK_INTERVAL_MIN;
    replay.next_check = replay.position + interval;
    replay.counts.heap_checks++;
    return true;
}

// One operation and what is due after it.
static bool step(void)
{
    if (!replay_operation(&replay.trace->ops[replay.position]))
        return false;
    if (replay.position == replay.peak_position) {
        replay.peak = ma_heap_stats(ma_default_heap());
        replay.peak_payload = replay.payload;
    }
    if (replay.position >= replay.next_check && !check_heap())
        return false;
    replay.position++;
    return true;
}

static bool verify_what_is_live(void)
{
    for (size_t slot = 0; slot < replay.trace->slots; slot++) {
        const struct held *held = &replay.held[slot];
        if (held->payload != NULL && !verify(held, held->size))
            return false;
    }
    return check_heap();
}

// --- threads --------------------------------------------------------------------------------------

static bool is_over(void)
{
    return replay.failure[0] != '\0' || replay.position == replay.trace->count;
}

static uint16_t whose_turn(void)
{
    return replay.trace->ops[replay.position].thread;
}

// Runs the operations of one thread; the mutex is held, but for the time of waiting.
static void *play(void *argument)
{
    struct player *player = argument;
    pthread_mutex_lock(&mutex);
    while (!is_over()) {
        if (whose_turn() == player->number) {
            step();
            continue;
        }
        pthread_cond_signal(&players[whose_turn()].turn);
        pthread_cond_wait(&player->turn, &mutex);
    }
    for (size_t i = 0; i < replay.trace->threads; i++)
        pthread_cond_signal(&players[i].turn);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

// Thread 0 is this one.
static bool play_all(void)
{
    size_t started = 1;
    bool good = true;
    for (size_t i = 0; i < replay.trace->threads; i++) {
        players[i].number = (uint16_t)i;
        pthread_cond_init(&players[i].turn, NULL);
    }
    pthread_mutex_lock(&mutex); // nobody begins before all are there
    while (good && started < replay.trace->threads) {
        good = pthread_create(&players[started].thread, NULL, play, &players[started]) == 0;
        started += good;
    }
    if (!good)
        fail("cannot start thread %zu of %zu", started, replay.trace->threads);
    pthread_mutex_unlock(&mutex);
    play(&players[0]);
    for (size_t i = 1; i < started; i++)
        pthread_join(players[i].thread, NULL);
    return good;
}

// --- the whole replay -----------------------------------------------------------------------------

// Where most bytes are live, as the trace asks for them.
static size_t find_peak(const struct trace *trace, size_t *sizes)
{
    size_t payload = 0;
    size_t peak = 0;
    size_t position = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_op *op = &trace->ops[i];
        if (op->slot == TRACE_NULL)
            continue;
        payload += op->size - sizes[op->slot];
        sizes[op->slot] = op->size;
        if (payload > peak) {
            peak = payload;
            position = i;
        }
    }
    return position;
}

static double percent(size_t part, size_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static void print_refused(void)
{
    const struct counts *counts = &replay.counts;
    printf("  requests   %zu\n", counts->requests);
    if (counts->refused != 0)
        printf("  refused    %zu of %zu requests: the heap is exhausted; %zu later operations on "
               "such blocks skipped\n",
               counts->refused, counts->requests, counts->skipped);
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

// What lies below the top is what the program's payload has cost so far.
static void print_heap(const char *when, const struct ma_stats *stats, size_t payload)
{
    size_t below_top = stats->region_bytes - stats->top_bytes;
    printf("  %-10s payload %zu bytes, heap below its top %zu bytes", when, payload, below_top);
    if (payload != 0)
        printf(": utilisation %.1f %%", percent(payload, below_top));
    printf("\n             region %zu bytes, ", stats->region_bytes);
    if (stats->free_blocks == 0)
        printf("no free block\n");
    else
        printf("free %zu bytes in %zu block%s, the largest %zu: external fragmentation %.1f %%\n",
               stats->free_bytes, stats->free_blocks, plural(stats->free_blocks),
               stats->largest_free, 100 - percent(stats->largest_free, stats->free_bytes));
}

static void print_result(void)
{
    const struct trace *trace = replay.trace;
    struct ma_stats end = ma_heap_stats(ma_default_heap());
    printf("%s: %zu operations, threads: %zu (%s)\n", replay.path, trace->count, trace->threads,
           trace->dialect);
    print_refused();
    printf(
        "  peak       at most %zu block%s and %zu bytes live at once, as the trace asks for them\n",
        trace->slots, plural(trace->slots), trace->peak_payload);
    print_heap("at peak", &replay.peak, replay.peak_payload);
    print_heap("at the end", &end, replay.payload);
    printf("  verified   contents of blocks %zu times, %zu bytes; all invariants %zu times\n",
           replay.counts.verified, replay.counts.verified_bytes, replay.counts.heap_checks);
}

static bool make_tables(const char *path, const struct trace *trace)
{
    size_t slots = trace->slots + 1; // a trace may only free NULL
    replay = (struct replay){.path = path, .trace = trace};
    replay.held = table_map(slots * sizeof *replay.held);
    players = table_map(trace->threads * sizeof *players);
    size_t *sizes = table_map(slots * sizeof *sizes);
    if (replay.held == NULL || players == NULL || sizes == NULL)
        return false;
    replay.peak_position = find_peak(trace, sizes);
    table_unmap(sizes, slots * sizeof *sizes);
    return true;
}

static int run(const char *path, const struct trace *trace)
{
    if (!make_tables(path, trace)) {
        fprintf(stderr, "replay: %s: not enough memory for %zu blocks\n", path, trace->slots);
        return 2;
    }
    ma_set_misuse_handler(hear_misuse);
    bool started = play_all();
    if (replay.failure[0] == '\0')
        verify_what_is_live();
    if (replay.failure[0] != '\0') {
        fprintf(stderr, "replay: %s: %s\n", path, replay.failure);
        return started ? 1 : 2;
    }
    print_result();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make replay TRACE=x.trace STAGE=N   (N is 1 to 5)\n"
                        "   or: build/trace/replay-stageN x.trace\n");
        return 2;
    }
    struct trace trace;
    struct trace_error error;
    if (!trace_read(argv[1], &trace, &error)) {
        trace_print_error(argv[1], &error);
        return 2;
    }
    return run(argv[1], &trace);
}
