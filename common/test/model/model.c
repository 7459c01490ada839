// Runs operations on the heaps and on the model.

#define _DEFAULT_SOURCE // for MAP_ANONYMOUS and dup under -std=c11

#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    ORIGIN_ALIGNMENT = 64 * 1024, // of heap 0's first block
    RESERVE = 1 << 18, // bytes by which a heap in an array may be extended
    ALL_HEAPS_EACH = 64, // operations
    AT_ONCE_MAX = 1 << 16, // bytes of a block that is looked at after each operation beside it
    GARBAGE = 0xA5, // in memory that becomes a heap
    ERRNO_BEFORE = 4711, // errno has this value before each call
    PAYLOAD_ALIGNMENT = 16,
};

static char misuse[PROBLEM_MAX / 2]; // what the handler heard last

static void hear_misuse(const char *message)
{
    snprintf(misuse, sizeof misuse, "%s", message);
}

// --- memory --------------------------------------------------------------------------------------

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return memory;
}

size_t destroy_quietly(struct ma_heap *heap)
{
    int errors = dup(STDERR_FILENO);
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    size_t live = ma_heap_destroy(heap);
    dup2(errors, STDERR_FILENO);
    close(errors);
    close(nowhere);
    return live;
}

char *memory_for_heap_0(size_t *bookkeeping, size_t reserve)
{
    static char *memory; // stays for the next sequence
    static size_t size;
    size_t needed = reserve + 3 * (size_t)ORIGIN_ALIGNMENT;
    if (memory == NULL || size < needed) {
        memory = map(needed);
        size = needed;
    }
    size_t past = (uintptr_t)memory % ORIGIN_ALIGNMENT;
    char *start = memory + (past == 0 ? 0 : ORIGIN_ALIGNMENT - past);
    struct ma_heap *heap = ma_heap_init(start, ORIGIN_ALIGNMENT);
    *bookkeeping = ma_heap_stats(heap).padding_bytes / PAYLOAD_ALIGNMENT * PAYLOAD_ALIGNMENT;
    ma_heap_destroy(heap);
    memset(start, GARBAGE, ORIGIN_ALIGNMENT + reserve);
    return start + ORIGIN_ALIGNMENT - *bookkeeping;
}

// --- heaps ---------------------------------------------------------------------------------------

static bool begin_heap(struct model *model, size_t index, struct model_heap made)
{
    model->heaps[index] = made;
    if (made.heap == NULL)
        return fail(model, "no heap, though all was well");
    return look_at_heap(model, index);
}

// A size that is none must give NULL and EINVAL.
static bool heap_size_refused(struct model *model, size_t size, void *memory)
{
    errno = ERRNO_BEFORE;
    struct ma_heap *heap = memory == NULL ? ma_heap_create(size) : ma_heap_init(memory, size);
    if (heap != NULL || errno != EINVAL)
        return fail(model, "a heap of %zu bytes is not refused with EINVAL", size);
    return true;
}

static bool make_heap_0(struct model *model, size_t size)
{
    size_t bookkeeping;
    char *memory = memory_for_heap_0(&bookkeeping, size);
    struct model_heap made = {.kind = HEAP_IN_ARRAY, .memory = memory, .size = bookkeeping + size};
    made.reserve = made.size;
    made.heap = ma_heap_init(memory, made.size);
    return begin_heap(model, 0, made);
}

// The array begins at an odd address.
static bool make_heap_in_array(struct model *model, size_t index, size_t size)
{
    struct model_heap made = {.kind = HEAP_IN_ARRAY, .size = size};
    made.mapped = size + RESERVE + 4096;
    made.mapping = map(made.mapped);
    memset(made.mapping, GARBAGE, made.mapped);
    made.memory = (char *)made.mapping + 1 + 5 * index;
    made.reserve = size + RESERVE;
    if (size < MA_HEAP_MIN) {
        bool good = heap_size_refused(model, size, made.memory);
        munmap(made.mapping, made.mapped);
        return good;
    }
    made.heap = ma_heap_init(made.memory, size);
    return begin_heap(model, index, made);
}

static bool make_heap_inside(struct model *model, size_t index, struct live_block *host)
{
    struct model_heap made = {
        .kind = HEAP_IN_BLOCK, .memory = host->payload, .host = host->payload};
    made.size = host->extent;
    made.reserve = host->extent;
    made.heap = ma_heap_init(made.memory, made.size);
    host->lent = true;
    return begin_heap(model, index, made);
}

// It is there before the sequence is; on stage 1 an earlier one may have used it.
static bool take_default_heap(struct model *model, size_t index)
{
    struct model_heap made = {.kind = HEAP_DEFAULT, .heap = ma_default_heap()};
    made.used = model->setup.stage == 1 && ma_heap_stats(made.heap).live_blocks != 0;
    return begin_heap(model, index, made);
}

static bool make_heap_by_mapping(struct model *model, size_t index, size_t size)
{
    if (size < MA_HEAP_MIN)
        return heap_size_refused(model, size, NULL);
    struct model_heap made = {.kind = HEAP_CREATED, .heap = ma_heap_create(size)};
    if (!begin_heap(model, index, made))
        return false;
    size_t region = (size + model->page - 1) / model->page * model->page;
    if (model->heaps[index].last.stats.region_bytes != region)
        return fail(model, "the region is not %zu bytes rounded up to pages", size);
    return true;
}

static bool extend_heap(struct model *model, size_t index, size_t bytes)
{
    struct model_heap *heap = &model->heaps[index];
    bool may = heap->kind == HEAP_IN_ARRAY || heap->kind == HEAP_IN_BLOCK;
    if (may && bytes > heap->reserve - heap->size)
        bytes = heap->reserve - heap->size;
    errno = ERRNO_BEFORE;
    bool done = ma_heap_extend(heap->heap, bytes);
    if (done != may || (!may && errno != EINVAL))
        return fail(model, "ma_heap_extend answers %d", done);
    heap->size += done ? bytes : 0;
    return done ? look_at_heap(model, index) : look_unchanged(model, index);
}

// The names and blocks of a heap that ends.
static void forget_blocks(struct model *model, size_t index)
{
    for (size_t i = 0; i < model->slot_count; i++) {
        const struct live_block *block = table_find(&model->table, model->slots[i].payload);
        if (block != NULL && block->heap == index)
            model->slots[i].payload = NULL;
    }
    size_t kept = 0;
    for (size_t i = 0; i < model->table.count; i++)
        if (model->table.blocks[i].heap != index)
            model->table.blocks[kept++] = model->table.blocks[i];
    model->table.count = kept;
}

static void get_host_back(struct model *model, const struct model_heap *heap)
{
    struct live_block *host = table_find(&model->table, heap->host);
    host->lent = false;
    host->seed = ++model->seeds;
    block_fill(host);
}

// Whether a heap's memory lies in a block of another heap, or in one of a heap in there.
static bool lies_in(const struct model *model, size_t heap, size_t other)
{
    while (model->heaps[heap].kind == HEAP_IN_BLOCK && heap != other)
        heap = table_find(&model->table, model->heaps[heap].host)->heap;
    return heap == other;
}

// Ends a heap in which no other lies. The default heap does not end.
static bool destroy_one(struct model *model, size_t index)
{
    struct model_heap *heap = &model->heaps[index];
    if (heap->kind == HEAP_DEFAULT)
        return true;
    if (!look_at_heap(model, index))
        return false;
    size_t expected = model->setup.stage > 1 ? heap->live_blocks : heap->used;
    size_t live = destroy_quietly(heap->heap);
    forget_blocks(model, index);
    if (heap->mapping != NULL)
        munmap(heap->mapping, heap->mapped);
    if (heap->kind == HEAP_IN_BLOCK)
        get_host_back(model, heap);
    *heap = (struct model_heap){.kind = HEAP_NONE};
    if (live != expected)
        return fail(model, "ma_heap_destroy counts %zu live blocks of %zu", live, expected);
    return true;
}

// A heap that lies in a heap and in which no other lies: that heap itself, if there is none.
static size_t innermost(const struct model *model, size_t index)
{
    size_t inner = index;
    for (size_t i = 0; i < HEAP_COUNT; i++)
        if (i != inner && model->heaps[i].kind == HEAP_IN_BLOCK && lies_in(model, i, inner)) {
            inner = i;
            i = SIZE_MAX; // look again, for one in there
        }
    return inner;
}

// Ends a heap; those that lie in its blocks end first.
static bool destroy_heap(struct model *model, size_t index)
{
    for (size_t inner = innermost(model, index); inner != index; inner = innermost(model, index))
        if (!destroy_one(model, inner))
            return false;
    return destroy_one(model, index);
}

// --- calls ---------------------------------------------------------------------------------------

// The default heap is used through both sets of functions.
static bool by_default(const struct model_heap *heap, size_t size)
{
    return heap->kind == HEAP_DEFAULT && size % 3 != 0;
}

static char *call_request(const struct model_heap *heap, const struct operation *operation)
{
    bool simple = by_default(heap, operation_size(operation));
    const size_t *numbers = operation->numbers;
    switch (operation->kind) {
    case OP_CALLOC:
        return simple ? ma_calloc(numbers[0], numbers[1])
                      : ma_heap_calloc(heap->heap, numbers[0], numbers[1]);
    case OP_ALIGNED_ALLOC:
        return simple ? ma_aligned_alloc(numbers[0], numbers[1])
                      : ma_heap_aligned_alloc(heap->heap, numbers[0], numbers[1]);
    case OP_REALLOC:
        return simple ? ma_realloc(NULL, numbers[0])
                      : ma_heap_realloc(heap->heap, NULL, numbers[0]);
    default:
        return simple ? ma_malloc(numbers[0]) : ma_heap_malloc(heap->heap, numbers[0]);
    }
}

static size_t call_usable_size(const struct model_heap *heap, const void *payload)
{
    return heap->kind == HEAP_DEFAULT ? ma_usable_size(payload)
                                      : ma_heap_usable_size(heap->heap, payload);
}

static void call_free(const struct model_heap *heap, void *payload, size_t size)
{
    if (by_default(heap, size))
        ma_free(payload);
    else
        ma_heap_free(heap->heap, payload);
}

// --- what calls return ---------------------------------------------------------------------------

static bool overflows(const struct operation *operation)
{
    return operation->kind == OP_CALLOC && operation->numbers[1] != 0 &&
           operation->numbers[0] > SIZE_MAX / operation->numbers[1];
}

static bool wrong_alignment(const struct operation *operation)
{
    size_t alignment = operation->numbers[0];
    return operation->kind == OP_ALIGNED_ALLOC &&
           (alignment == 0 || (alignment & (alignment - 1)) != 0);
}

// What NULL says, from a call that should have given a block.
static bool accept_refusal(struct model *model, size_t heap, const struct operation *operation)
{
    size_t alignment = operation->kind == OP_ALIGNED_ALLOC ? operation->numbers[0] : 0;
    int expected = wrong_alignment(operation) ? EINVAL : ENOMEM;
    if (errno != expected)
        return fail(model, "NULL with errno %d, not %d", errno, expected);
    if (expected == ENOMEM && !overflows(operation) &&
        !may_refuse(model, heap, operation_size(operation), alignment))
        return fail(model, "%zu bytes are refused, though there is room",
                    operation_size(operation));
    return look_unchanged(model, heap);
}

static bool inside(const struct live_block *block, const struct model_heap *heap)
{
    return (uintptr_t)block->payload >= (uintptr_t)heap->memory &&
           (uintptr_t)block->payload + block->extent <= (uintptr_t)heap->memory + heap->size;
}

static bool apart(const struct live_block *block, const struct model_heap *heap)
{
    return (uintptr_t)block->payload >= (uintptr_t)heap->memory + heap->reserve ||
           (uintptr_t)block->payload + block->extent <= (uintptr_t)heap->memory;
}

// A block lies in its own heap's memory, and in that of no other.
static bool accept_place(struct model *model, const struct live_block *block)
{
    for (size_t i = 0; i < HEAP_COUNT; i++) {
        const struct model_heap *heap = &model->heaps[i];
        if (heap->memory == NULL)
            continue;
        if (i == block->heap ? !inside(block, heap)
                             : !lies_in(model, block->heap, i) && !apart(block, heap))
            return fail(model, "the block lies %s heap %zu",
                        i == block->heap ? "outside" : "inside", i);
    }
    return true;
}

// From stage 3 on what a block has beyond the request is less than a block. Stage 2 gives it all. The
// classes of stage 5's cache are 1/32 apart, from 1 to 8 KiB.
static bool accept_extent(struct model *model, struct live_block *block, size_t usable)
{
    block->extent = model->setup.stage > 1 ? usable : block->asked;
    if (block->extent < block->asked)
        return fail(model, "usable_size says %zu, asked for were %zu", usable, block->asked);
    if (model->setup.stage == 1 && usable != 0)
        return fail(model, "stage 1 cannot know a size, and says %zu", usable);
    size_t most = (block->asked < 24 ? 24 : (block->asked + 7) / 16 * 16 + 8) + 16;
    if (model->setup.stage > 4 && model->heaps[block->heap].kind == HEAP_DEFAULT &&
        block->asked > 1000 && block->asked <= 8184)
        most += most / 32;
    if (model->setup.stage > 2 && block->extent > most)
        return fail(model, "usable_size says %zu, asked for were only %zu", usable, block->asked);
    return true;
}

// A block that the program owns from now on.
static bool accept_block(struct model *model, struct live_block block)
{
    struct model_heap *heap = &model->heaps[block.heap];
    if ((uintptr_t)block.payload % PAYLOAD_ALIGNMENT != 0)
        return fail(model, "the block is not aligned");
    size_t usable = call_usable_size(heap, block.payload);
    if (!accept_extent(model, &block, usable) || !accept_place(model, &block))
        return false;
    block.written = bytes_to_write(block.asked, block.extent);
    const char *problem = table_insert(&model->table, block);
    if (problem != NULL)
        return fail(model, "%s", problem);
    heap->live_blocks++;
    heap->live_bytes += block.extent;
    heap->used = true;
    block_fill(&block);
    return true;
}

static void disown(struct model *model, struct live_block *block)
{
    model->heaps[block->heap].live_blocks--;
    model->heaps[block->heap].live_bytes -= block->extent;
    table_remove(&model->table, block);
}

static bool accept_contents(struct model *model, const struct live_block *block)
{
    if (block->lent || block_intact(block, block->written))
        return true;
    return fail(model, "the contents of a block of %zu bytes have changed", block->asked);
}

static bool accept_zeros(struct model *model, const char *payload, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (payload[i] != 0)
            return fail(model, "calloc: byte %zu is not zero", i);
    return true;
}

// --- operations ----------------------------------------------------------------------------------

// Where a request goes: a heap that is not there is heap 0.
static size_t heap_for(const struct model *model, const struct operation *operation)
{
    return model->heaps[operation->heap].kind == HEAP_NONE ? 0 : operation->heap;
}

// Returns false if something is wrong; *payload is what the call gave.
static bool run_request(struct model *model, struct operation *operation)
{
    size_t heap = heap_for(model, operation);
    size_t size = operation_size(operation);
    errno = ERRNO_BEFORE;
    char *payload = call_request(&model->heaps[heap], operation);
    model->slots[operation->target].payload = payload;
    if (payload == NULL)
        return accept_refusal(model, heap, operation);
    if (overflows(operation) || wrong_alignment(operation) || size > MA_HEAP_MAX)
        return fail(model, "a request that cannot be met is met");
    if (operation->kind == OP_ALIGNED_ALLOC && (uintptr_t)payload % operation->numbers[0] != 0)
        return fail(model, "not at a multiple of %zu", operation->numbers[0]);
    if (operation->kind == OP_CALLOC && !accept_zeros(model, payload, size))
        return false;
    return accept_block(
        model, (struct live_block){
                   .payload = payload, .asked = size, .heap = heap, .seed = ++model->seeds});
}

// A free leaves errno alone.
static bool run_free(struct model *model, const struct operation *operation)
{
    char *payload = model->slots[operation->subject].payload;
    struct live_block *block = table_find(&model->table, payload);
    size_t heap = block == NULL ? heap_for(model, operation) : block->heap;
    if (block != NULL && !accept_contents(model, block))
        return false;
    size_t size = block == NULL ? 0 : block->asked;
    if (block != NULL)
        disown(model, block);
    model->slots[operation->subject].payload = NULL;
    errno = ERRNO_BEFORE;
    call_free(&model->heaps[heap], payload, size);
    return errno == ERRNO_BEFORE || fail(model, "free sets errno to %d", errno);
}

static bool accept_moved(struct model *model, struct live_block old, char *payload, size_t size)
{
    old.payload = payload;
    if (!block_intact(&old, old.written < size ? old.written : size))
        return fail(model, "realloc from %zu to %zu bytes does not keep the contents", old.asked,
                    size);
    old.asked = size;
    old.seed = ++model->seeds;
    return accept_block(model, old);
}

static bool run_realloc(struct model *model, struct operation *operation, struct live_block *block)
{
    size_t size = operation->numbers[0];
    struct live_block old = *block;
    struct model_heap *heap = &model->heaps[old.heap];
    if (!accept_contents(model, block))
        return false;
    errno = ERRNO_BEFORE;
    char *moved = by_default(heap, size) ? ma_realloc(old.payload, size)
                                         : ma_heap_realloc(heap->heap, old.payload, size);
    if (moved != NULL || size == 0) {
        model->slots[operation->subject].payload = NULL;
        disown(model, block);
    }
    model->slots[operation->target].payload = moved;
    if (size == 0)
        return moved == NULL || fail(model, "realloc to 0 bytes gives a block");
    if (moved != NULL)
        return accept_moved(model, old, moved, size);
    if (operation->target == operation->subject)
        model->slots[operation->subject].payload = old.payload; // the program keeps what it has
    return accept_refusal(model, old.heap, operation) && accept_contents(model, &old);
}

static bool run_write(struct model *model, struct operation *operation, struct live_block *block)
{
    if (operation->numbers[0] > block->asked)
        operation->numbers[0] = block->asked;
    if (!accept_contents(model, block))
        return false;
    block->seed = ++model->seeds;
    block_fill(block);
    return true;
}

static bool run_on_block(struct model *model, struct operation *operation)
{
    struct live_block *block = table_find(&model->table, model->slots[operation->subject].payload);
    if (operation->kind < OP_REALLOC)
        return run_request(model, operation);
    if (block != NULL && block->lent) {
        operation->effect = OP_LEFT_OUT;
        return true;
    }
    if (block == NULL)
        operation->effect = operation->kind == OP_WRITE ? OP_LEFT_OUT : OP_DONE_WITH_NULL;
    if (operation->kind == OP_FREE)
        return run_free(model, operation);
    if (operation->kind == OP_REALLOC)
        return block == NULL ? run_request(model, operation) : run_realloc(model, operation, block);
    return block == NULL || run_write(model, operation, block);
}

static bool default_heap_taken(const struct model *model)
{
    for (size_t i = 0; i < HEAP_COUNT; i++)
        if (model->heaps[i].kind == HEAP_DEFAULT)
            return true;
    return false;
}

// Whether an operation that makes a heap can be done.
static bool can_make_heap(const struct model *model, const struct operation *operation)
{
    const struct live_block *host =
        table_find(&model->table, model->slots[operation->subject].payload);
    if (operation->heap == 0 || model->heaps[operation->heap].kind != HEAP_NONE)
        return false;
    if (operation->kind == OP_HEAP_DEFAULT)
        return !default_heap_taken(model);
    return operation->kind != OP_HEAP_INSIDE ||
           (host != NULL && !host->lent && host->extent >= MA_HEAP_MIN);
}

// begin has seen to it.
static bool is_size_of_heap_0(const struct model *model, const struct operation *operation)
{
    return model->outcome->step == 0 && operation->kind == OP_HEAP_INIT && operation->heap == 0;
}

static bool run_on_heap(struct model *model, struct operation *operation)
{
    size_t index = operation->heap;
    if (is_size_of_heap_0(model, operation))
        return true;
    bool there = model->heaps[index].kind != HEAP_NONE;
    bool makes = operation->kind < OP_HEAP_EXTEND;
    bool keeps = index == 0 || model->heaps[index].kind == HEAP_DEFAULT;
    if (makes ? !can_make_heap(model, operation)
              : !there || (operation->kind == OP_HEAP_DESTROY && keeps)) {
        operation->effect = OP_LEFT_OUT;
        return true;
    }
    switch (operation->kind) {
    case OP_HEAP_DEFAULT:
        return take_default_heap(model, index);
    case OP_HEAP_CREATE:
        return make_heap_by_mapping(model, index, operation->numbers[0]);
    case OP_HEAP_INIT:
        return make_heap_in_array(model, index, operation->numbers[0]);
    case OP_HEAP_INSIDE:
        return make_heap_inside(
            model, index, table_find(&model->table, model->slots[operation->subject].payload));
    case OP_HEAP_EXTEND:
        return extend_heap(model, index, operation->numbers[0]);
    default:
        return destroy_heap(model, index);
    }
}

// --- a sequence ----------------------------------------------------------------------------------

// Heap 0 is made anew for each sequence, in the size that its first operation may ask for.
static bool begin(struct model *model, const struct operation_list *list)
{
    model->slot_count = list_names(list);
    model->slots = calloc(model->slot_count, sizeof *model->slots);
    model->page = (size_t)sysconf(_SC_PAGESIZE);
    if (model->slots == NULL)
        return fail(model, "out of memory");
    return make_heap_0(model, list_heap_0_size(list));
}

// Every block, and every heap: nothing changed that no operation was about.
static bool look_at_all(struct model *model)
{
    for (size_t i = 0; i < model->table.count; i++)
        if (!accept_contents(model, &model->table.blocks[i]))
            return false;
    for (size_t i = 0; i < HEAP_COUNT; i++)
        if (model->heaps[i].kind != HEAP_NONE &&
            !(look_unchanged(model, i) && look_at_heap(model, i)))
            return false;
    return true;
}

// The blocks beside the one that an operation was about: they are hurt first. Large ones are left to
// look_at_all.
static bool look_at_neighbours(struct model *model, const void *payload)
{
    size_t at = table_position(&model->table, payload);
    size_t first = at < 2 ? 0 : at - 2;
    for (size_t i = first; i < model->table.count && i < at + 3; i++)
        if (model->table.blocks[i].written <= AT_ONCE_MAX &&
            !accept_contents(model, &model->table.blocks[i]))
            return false;
    return true;
}

static bool step(struct model *model, struct operation *operation)
{
    const char *before = model->slots[operation->subject].payload;
    bool on_block = operation->kind < OP_HEAP_DEFAULT;
    const struct live_block *block = table_find(&model->table, before);
    size_t heap = block != NULL && on_block ? block->heap : heap_for(model, operation);
    if (on_block && operation->kind < OP_REALLOC)
        heap = heap_for(model, operation);
    operation->effect = OP_DONE;
    bool good = on_block ? run_on_block(model, operation) : run_on_heap(model, operation);
    if (misuse[0] != '\0')
        return fail(model, "misuse reported: %s", misuse);
    if (!good || operation->effect == OP_LEFT_OUT)
        return good;
    if (model->heaps[heap].kind != HEAP_NONE && !look_at_heap(model, heap))
        return false;
    const char *after = model->slots[operation->target].payload;
    if (!look_at_neighbours(model, before) || !look_at_neighbours(model, after))
        return false;
    bool all = model->setup.thorough || model->outcome->step % ALL_HEAPS_EACH == 0;
    return !all || look_at_all(model);
}

// A heap all of whose blocks were freed is, from stage 4 on, as it was at first.
static bool look_at_empty_heap(struct model *model, size_t index)
{
    if (model->heaps[index].kind == HEAP_NONE)
        return true;
    if (!look_at_heap(model, index))
        return false;
    const struct ma_stats *stats = &model->heaps[index].last.stats;
    bool caches = model->heaps[index].kind == HEAP_DEFAULT && model->setup.stage == 5;
    if (model->setup.stage >= 4 && !caches &&
        stats->padding_bytes + stats->top_bytes != stats->region_bytes)
        return fail(model, "all blocks of heap %zu were freed, and it is not empty", index);
    return true;
}

static bool free_all(struct model *model)
{
    for (size_t i = HEAP_COUNT; i-- > 1;)
        if (model->heaps[i].kind == HEAP_IN_BLOCK && !destroy_heap(model, i))
            return false;
    while (model->table.count > 0) {
        model->slots[0].payload = model->table.blocks[model->table.count / 2].payload;
        if (!run_free(model, &(struct operation){.kind = OP_FREE}))
            return false;
    }
    for (size_t i = 0; i < HEAP_COUNT; i++)
        if (!look_at_empty_heap(model, i))
            return false;
    for (size_t i = 0; i < HEAP_COUNT; i++)
        if (model->heaps[i].kind != HEAP_NONE && !destroy_heap(model, i))
            return false;
    return misuse[0] == '\0' || fail(model, "misuse reported: %s", misuse);
}

bool model_run(const struct setup *setup, struct operation_list *list, struct outcome *outcome)
{
    struct model model = {.setup = *setup, .outcome = outcome};
    ma_misuse_handler *handler = ma_set_misuse_handler(hear_misuse);
    misuse[0] = '\0';
    bool good = begin(&model, list);
    for (size_t i = 0; good && i < list->count; i++) {
        outcome->step = i;
        good = step(&model, &list->operations[i]);
    }
    if (good) {
        outcome->step = list->count;
        good = look_at_all(&model) && free_all(&model);
    }
    free(model.slots);
    free(model.table.blocks);
    ma_set_misuse_handler(handler);
    return good;
}
