// take.h: a block leaves the heap, and comes back
//
//     take       a free block that serves (fit.h), else a new one from the top
//     release    the block merges with its free neighbours and goes on its list, or into the top

#ifndef MA_TAKE_H
#define MA_TAKE_H

#include "coalesce.h"
#include "fit.h"
#include "purge.h"
#include "region.h"
#include "split.h"

// A new block of size bytes from the top; NULL if there is no room.
static inline struct block *block_bump(struct ma_heap *heap, size_t size)
{
    struct block *block = pointer_to(bump(heap, size));
    return block == NULL ? NULL : block_begin(heap, block, size);
}

// Gives a block back to the heap.
static inline void block_release(struct ma_heap *heap, struct block *block)
{
    block_set_state(block, MA_BLOCK_FREE);
    block = coalesce(heap, block);
    if ((uintptr_t)block_next(block) == heap->top) {
        heap->top = (uintptr_t)block;
        region_trim(heap);
        return;
    }
    tell_next(heap, block, true);
    list_push(heap, block);
    region_purge(heap);
}

// Shortens a used block to size bytes; what is left over becomes free, if it can be a block.
static inline void block_shorten(struct ma_heap *heap, struct block *block, size_t size)
{
    struct block *rest = block_split(heap, block, size);
    if (rest != NULL)
        block_release(heap, rest);
}

// A used block of at least size bytes: from the free list, else from the top. NULL if there is no
// room, or if a free block on the way was overwritten: find_fit has noted it. If there is more, it
// is a multiple of size, up to most.
static inline struct block *block_take_run(struct ma_heap *heap, size_t size, size_t most)
{
    struct block *block = find_fit(heap, size);
    if (heap->problem != NULL || (block != NULL && !list_remove(heap, block)))
        return NULL;
    if (block == NULL)
        block = block_bump(heap, most <= heap->limit - heap->top ? most : size);
    if (block != NULL) {
        block_set_state(block, MA_BLOCK_USED);
        tell_next(heap, block, false);
        if (block_size(block) < most)
            most = block_size(block) / size * size;
        block_shorten(heap, block, most);
    }
    return block;
}

static inline struct block *block_take(struct ma_heap *heap, size_t size)
{
    return block_take_run(heap, size, size);
}

#endif
