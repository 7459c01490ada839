// take.h: a block leaves the heap, and comes back
//
//     take       a free block that serves (fit.h), else a new one from the top
//     release    the block goes on its list

#ifndef MA_TAKE_H
#define MA_TAKE_H

#include "fit.h"
#include "region.h"

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
    list_push(heap, block);
}

// A used block of at least size bytes: from the free list, else from the top. NULL if there is no
// room, or if a free block on the way was overwritten: find_fit has noted it.
static inline struct block *block_take(struct ma_heap *heap, size_t size)
{
    struct block *block = find_fit(heap, size);
    if (heap->problem != NULL || (block != NULL && !list_remove(heap, block)))
        return NULL;
    if (block == NULL)
        block = block_bump(heap, size);
    if (block != NULL)
        block_set_state(block, MA_BLOCK_USED);
    return block;
}

#endif
