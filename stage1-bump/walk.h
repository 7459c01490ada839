// walk.h: a walk through all blocks, and the sums
//
//     base                                    top           limit
//     v                                       v             v
//     +---------+---------+---------+---------+-------------+
//     |  used   |  free   |  used   |  used   |             |
//     +---------+---------+---------+---------+-------------+
//     visit     visit     visit     visit

#ifndef MA_WALK_H
#define MA_WALK_H

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

// Where a walk goes on: at address, or at 0: nowhere, it has come to the end.
static inline uintptr_t walk_from(const struct ma_heap *heap, uintptr_t address)
{
    return address == heap->top ? 0 : address;
}

static inline bool heap_walk(struct ma_heap *heap, ma_visitor *visit, void *context)
{
    for (uintptr_t address = walk_from(heap, heap->base); address != 0;) {
        struct ma_block block = describe(heap, address);
        if (!visit(&block, context))
            return false;
        address = walk_from(heap, address + block.size);
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

#endif
