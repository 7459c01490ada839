// inspect.h: a look inside: every block, the sums, the invariants
//
//   I1: base <= top <= limit
//   I2: every payload is aligned

#ifndef MA_INSPECT_H
#define MA_INSPECT_H

#include "heap.h"

// The block at address.
static inline struct ma_block describe(const struct ma_heap *heap, uintptr_t address)
{
    return (struct ma_block){
        .address = pointer_to(address),
        .payload = pointer_to(address),
        .size = heap->top - address, // without headers, all that was handed out is one block
        .state = MA_BLOCK_USED,
    };
}

static inline bool heap_walk(struct ma_heap *heap, ma_visitor *visit, void *context)
{
    for (uintptr_t address = heap->base; address < heap->top;) {
        struct ma_block block = describe(heap, address);
        if (!visit(&block, context))
            return false;
        address += block.size;
    }
    return true;
}

static inline bool add_block(const struct ma_block *block, void *context)
{
    struct ma_stats *stats = context;
    size_t header = (size_t)((const char *)block->payload - (const char *)block->address);
    size_t payload = block->size - header;
    stats->header_bytes += header;
    if (block->state == MA_BLOCK_USED) {
        stats->live_blocks++;
        stats->live_bytes += payload;
    }
    return true;
}

static inline struct ma_stats heap_stats(struct ma_heap *heap)
{
    struct ma_stats stats = {
        .padding_bytes = heap->base - heap->start,
        .top_bytes = heap->limit - heap->top,
        .region_bytes = heap->limit - heap->start,
    };
    heap_walk(heap, add_block, &stats);
    return stats;
}

static inline bool check_bounds(struct ma_heap *heap)
{
    return heap->start <= heap->base && heap->base <= heap->top && heap->top <= heap->limit;
}

static inline bool check_alignment(struct ma_heap *heap)
{
    bool no_region = heap->limit == 0; // before the first call on the default heap
    return no_region ||
           (first_block(heap->base) == heap->base && first_block(heap->top) == heap->top);
}

struct invariant {
    bool (*holds)(struct ma_heap *heap);
    const char *text;
};

static const struct invariant invariants[] = {
    {check_bounds, "I1: base <= top <= limit"},
    {check_alignment, "I2: every payload is aligned"},
};

// The text of the first invariant that is broken; NULL: all hold.
static inline const char *heap_check(struct ma_heap *heap)
{
    for (size_t i = 0; i < sizeof invariants / sizeof invariants[0]; i++)
        if (!invariants[i].holds(heap))
            return invariants[i].text;
    return NULL;
}

#endif
