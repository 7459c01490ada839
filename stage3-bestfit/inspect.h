// inspect.h: the invariants: what holds between two calls
//
//   I1: base <= top <= limit
//   I2: every payload is aligned
//   I3: blocks follow each other without a gap, each header intact
//   I4: the free list holds the free blocks, linked both ways
//   I5: each free block is in the bin of its size, the bitmap names the filled bins

#ifndef MA_INSPECT_H
#define MA_INSPECT_H

#include "free_list.h"
#include "walk.h"

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

static inline bool check_headers(struct ma_heap *heap)
{
    uintptr_t address = walk_from(heap, heap->base);
    while (address != 0 && is_header(heap, address))
        address = walk_from(heap, address + block_size(pointer_to(address)));
    return address == 0;
}

// Blocks on the list from first on; SIZE_MAX if one is not free or the links are broken. (Added to
// others that takes one away: the sum is too small.)
static inline size_t list_length(const struct ma_heap *heap, const struct block *first)
{
    size_t length = 0;
    for (const struct block *block = first; block != NULL; block = block->next) {
        if (!is_listed(heap, block, first))
            return SIZE_MAX;
        length++;
    }
    return length;
}

static inline bool check_lists(struct ma_heap *heap)
{
    size_t found = 0;
    for (size_t bin = 0; bin < BIN_COUNT; bin++)
        found += list_length(heap, heap->bins[bin]);
    return found == heap_stats(heap).free_blocks;
}

static inline bool check_bins(struct ma_heap *heap)
{
    for (size_t bin = 0; bin < BIN_COUNT; bin++) {
        const struct block *block = heap->bins[bin];
        bool marked = (heap->bitmap[bin / 64] >> (bin % 64) & 1) != 0;
        if (marked != (block != NULL))
            return false;
        for (; block != NULL; block = block->next)
            if (bin_of(block->size) != bin)
                return false;
    }
    return true;
}

struct invariant {
    bool (*holds)(struct ma_heap *heap);
    const char *text;
};

static const struct invariant invariants[] = {
    {check_bounds, "I1: base <= top <= limit"},
    {check_alignment, "I2: every payload is aligned"},
    {check_headers, "I3: blocks follow each other without a gap, each header intact"},
    {check_lists, "I4: the free list holds the free blocks, linked both ways"},
    {check_bins, "I5: each free block is in the bin of its size, the bitmap names the filled bins"},
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
