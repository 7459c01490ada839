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

// Puts a free block on its list that has no free neighbours; purged of its bytes have no pages.
static inline void block_put(struct ma_heap *heap, struct block *block, size_t purged)
{
    if (block_is_large(block))
        *purged_of(block) = purged;
    tell_next(heap, block, true);
    list_push(heap, block);
}

// Gives a block back to the heap.
static inline void block_release(struct ma_heap *heap, struct block *block)
{
    block_set_state(block, MA_BLOCK_FREE);
    size_t purged = heap->purged;
    block = coalesce(heap, block);
    purged -= heap->purged; // by the neighbours, which have left their lists
    region_purge(heap, block, &purged);
    if ((uintptr_t)block_next(block) == heap->top) {
        heap->top = (uintptr_t)block;
        region_trim(heap);
        return;
    }
    block_put(heap, block, purged);
}

// Shortens a used block to size bytes; what is left over becomes free, if it can be a block.
static inline void block_shorten(struct ma_heap *heap, struct block *block, size_t size)
{
    struct block *rest = block_split(heap, block, size);
    if (rest != NULL)
        block_release(heap, rest);
}

// So too with a block that was on a list; purged of its bytes have no pages.
static inline void block_cut(struct ma_heap *heap, struct block *block, size_t size, size_t purged)
{
    struct block *rest = block_split(heap, block, size);
    if (rest != NULL) {
        size_t left = smaller(purged, block_size(rest));
        block_set_state(rest, MA_BLOCK_FREE);
        block_put(heap, rest, left);
        purged -= left;
    }
    heap->regretted += purged;
}

// A used block of at least size bytes: from the free list, else from the top. NULL if there is no
// room, or if a free block on the way was overwritten: find_fit has noted it.
static inline struct block *block_take(struct ma_heap *heap, size_t size)
{
    struct block *block = find_fit(heap, size);
    if (heap->problem != NULL || (block != NULL && !list_remove(heap, block)))
        return NULL;
    size_t purged = block != NULL && block_is_large(block) ? *purged_of(block) : 0;
    if (block == NULL)
        block = block_bump(heap, size);
    if (block != NULL) {
        block_set_state(block, MA_BLOCK_USED);
        tell_next(heap, block, false);
        block_cut(heap, block, size, purged);
    }
    return block;
}

#endif
