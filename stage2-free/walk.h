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

#include "integrity.h"

// The block at address.
static inline struct ma_block describe(const struct ma_heap *heap, uintptr_t address)
{
    const struct block *block = pointer_to(address);
    bool has_next =
        block_state(block) == MA_BLOCK_FREE && block->next != NULL && link_ok(heap, block->next);
    return (struct ma_block){
        .address = pointer_to(address),
        .payload = payload_of(block),
        .size = block_size(block),
        .state = block_state(block),
        .next_free = has_next ? payload_of(block->next) : NULL,
    };
}

// Where a walk goes on: at address, or if a region ends there, in the one before; 0: nowhere.
static inline uintptr_t walk_from(const struct ma_heap *heap, uintptr_t address)
{
    const struct region *region = heap->older;
    if (address != heap->top) {
        while (region != NULL && address != region->top)
            region = region->older;
        if (region == NULL)
            return address;
        region = region->older;
    }
    return region == NULL ? 0 : region->base;
}

static inline bool heap_walk(struct ma_heap *heap, ma_visitor *visit, void *context)
{
    for (uintptr_t address = walk_from(heap, heap->base); address != 0;) {
        if (!is_header(heap, address))
            return false;
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
    if (block->state == MA_BLOCK_FREE) {
        stats->free_blocks++;
        stats->free_bytes += payload;
        stats->largest_free = larger(stats->largest_free, payload);
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
    for (const struct region *left = heap->older; left != NULL; left = left->older) {
        stats.padding_bytes += left->base - left->start + left->limit - left->top;
        stats.region_bytes += left->limit - left->start;
    }
    heap_walk(heap, add_block, &stats);
    return stats;
}

#endif
