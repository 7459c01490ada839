// lengthen.h: a block grows where it lies, so that realloc need not copy it
//
//     | block | next: free          |   =>   | block         | rest: free  |
//     | block |  top                |   =>   | block         |  top        |

#ifndef MA_LENGTHEN_H
#define MA_LENGTHEN_H

#include "take.h"

// Lengthens a used block to size bytes; false if there is no room after it.
static inline bool block_lengthen(struct ma_heap *heap, struct block *block, size_t size)
{
    struct block *next = block_next(block);
    if ((uintptr_t)next == heap->top) {
        size_t more = size - block_size(block);
        if ((more > heap->limit - heap->top && !region_grow(heap, more)) || bump(heap, more) == 0)
            return false;
        block_set_size(heap, block, size);
        return true;
    }
    if (block_state(next) != MA_BLOCK_FREE || block_size(block) + block_size(next) < size)
        return false;
    size_t purged = block_is_large(next) ? *purged_of(next) : 0;
    if (take_next(heap, block) == 0)
        return false;
    block_set_size(heap, block, block_size(block) + block_size(next));
    tell_next(heap, block, false);
    block_cut(heap, block, size, purged);
    return true;
}

#endif
