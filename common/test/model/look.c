// Compares a heap with the model.

#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    PAYLOAD_ALIGNMENT = 16,
    HEADER = 8, // bytes before a payload, from stage 2 on
    SMALLEST_BLOCK = 32,
    CERTAIN = 1 << 28, // bytes that a region that can grow must be able to grow to
};

bool fail(struct model *model, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (model->outcome->problem[0] == '\0')
        vsnprintf(model->outcome->problem, PROBLEM_MAX, format, arguments);
    va_end(arguments);
    return false;
}

// --- the walk ------------------------------------------------------------------------------------

struct walk {
    struct model *model;
    size_t heap;
    const char *end; // of the block before; NULL: this is the first
    size_t used;
    uint64_t hash;
};

static void mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * 0x9E3779B97F4A7C15;
    *hash ^= *hash >> 29;
}

static bool visit_used(struct walk *walk, const struct ma_block *block)
{
    const struct live_block *live = table_find(&walk->model->table, block->payload);
    size_t payload =
        block->size - (size_t)((const char *)block->payload - (const char *)block->address);
    walk->used++;
    if (live == NULL || live->heap != walk->heap)
        return fail(walk->model, "the walk shows a used block that nobody owns");
    if (live->extent != payload)
        return fail(walk->model, "the walk shows %zu bytes of payload, usable_size said %zu",
                    payload, live->extent);
    return true;
}

static bool visit(const struct ma_block *block, void *context)
{
    struct walk *walk = context;
    const char *address = block->address;
    mix(&walk->hash, (uintptr_t)address);
    mix(&walk->hash, block->size);
    mix(&walk->hash, block->state);
    if (walk->end != NULL && address != walk->end)
        return fail(walk->model, "the walk shows a gap");
    walk->end = address + block->size;
    if (block->state != MA_BLOCK_USED || walk->model->setup.stage == 1)
        return true;
    return visit_used(walk, block);
}

static bool look_at_walk(struct model *model, size_t heap)
{
    struct walk walk = {.model = model, .heap = heap};
    if (!ma_heap_walk(model->heaps[heap].heap, visit, &walk))
        return fail(model, "the walk does not come to its end");
    if (model->setup.stage > 1 && walk.used != model->heaps[heap].live_blocks)
        return fail(model, "the walk shows %zu used blocks of %zu", walk.used,
                    model->heaps[heap].live_blocks);
    model->heaps[heap].last.hash = walk.hash;
    return true;
}

// --- statistics ----------------------------------------------------------------------------------

// Stage 1 shows all it handed out as one block.
static bool look_at_stats(struct model *model, size_t index)
{
    struct model_heap *heap = &model->heaps[index];
    struct ma_stats stats = ma_heap_stats(heap->heap);
    size_t live = model->setup.stage > 1 ? heap->live_blocks : heap->used;
    heap->last.stats = stats;
    if (stats.live_blocks != live)
        return fail(model, "the statistics count %zu live blocks of %zu", stats.live_blocks, live);
    if (model->setup.stage > 1 && stats.live_bytes != heap->live_bytes)
        return fail(model, "the statistics count %zu live bytes of %zu", stats.live_bytes,
                    heap->live_bytes);
    if (stats.live_bytes + stats.free_bytes + stats.cached_bytes + stats.header_bytes +
            stats.padding_bytes + stats.top_bytes !=
        stats.region_bytes)
        return fail(model, "the statistics' parts are not the region");
    if (heap->memory != NULL && stats.region_bytes != heap->size)
        return fail(model, "the region has %zu bytes, not %zu", stats.region_bytes, heap->size);
    if (stats.largest_free > stats.free_bytes ||
        (stats.largest_free == 0) != (stats.free_blocks == 0))
        return fail(model, "the statistics' largest free block is none");
    return true;
}

bool look_at_heap(struct model *model, size_t heap)
{
    const char *broken = ma_heap_check(model->heaps[heap].heap);
    if (broken != NULL)
        return fail(model, "ma_heap_check: %s", broken);
    return look_at_walk(model, heap) && look_at_stats(model, heap);
}

bool look_unchanged(struct model *model, size_t index)
{
    struct model_heap *heap = &model->heaps[index];
    struct snapshot before = heap->last;
    if (!look_at_walk(model, index) || !look_at_stats(model, index))
        return false;
    if (heap->kind == HEAP_DEFAULT && model->setup.stage == 5)
        return true; // a visit of the cache to the heap moves blocks
    if (before.hash != heap->last.hash ||
        memcmp(&before.stats, &heap->last.stats, sizeof before.stats) != 0)
        return fail(model, "the heap changed, though no operation on it succeeded");
    return true;
}

// --- refusals ------------------------------------------------------------------------------------

static bool can_grow(const struct model *model, const struct model_heap *heap)
{
    return model->setup.stage > 1 && sizeof(void *) == 8 &&
           (heap->kind == HEAP_CREATED || heap->kind == HEAP_DEFAULT);
}

// The bytes of the block that a request needs, if need be before it is cut to size.
static size_t block_bytes(const struct model *model, size_t bytes, size_t alignment)
{
    size_t block = bytes + (model->setup.stage > 1 ? HEADER : 0) + PAYLOAD_ALIGNMENT;
    if (block < SMALLEST_BLOCK)
        block = SMALLEST_BLOCK;
    return alignment > PAYLOAD_ALIGNMENT ? block + alignment + SMALLEST_BLOCK : block;
}

// From stage 3 on a free block that is larger by 1/32 is found for certain: it lies in another bin,
// or in the next class of the same.
bool may_refuse(const struct model *model, size_t index, size_t bytes, size_t alignment)
{
    const struct model_heap *heap = &model->heaps[index];
    if (bytes > CERTAIN || alignment > CERTAIN)
        return true;
    if (can_grow(model, heap))
        return false;
    size_t needed = block_bytes(model, bytes, alignment);
    const struct ma_stats *stats = &heap->last.stats;
    if (stats->top_bytes >= needed)
        return false;
    if (model->setup.stage < 3)
        return model->setup.stage == 1 || alignment > PAYLOAD_ALIGNMENT ||
               stats->largest_free < needed;
    return stats->largest_free < needed + needed / 32 + 2 * PAYLOAD_ALIGNMENT;
}
