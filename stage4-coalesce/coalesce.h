// coalesce.h: boundary tags: a free block becomes one with its free neighbours
//
//     free block                                     the block after it
//     +--------+------+------+----------+--------+   +-----------+----------
//     | header | next | prev |          | footer |   | prev_free |  payload
//     +--------+------+------+----------+--------+   +-----------+----------
//                                        its size     1: the footer is valid
//
// So a block finds both its neighbours without a search (Knuth, TAOCP volume 1, section 2.5).

#ifndef MA_COALESCE_H
#define MA_COALESCE_H

#include "free_list.h"

// Tells the next block, if there is one, whether this block is free.
static inline void tell_next(const struct ma_heap *heap, struct block *block, bool is_free)
{
    struct block *next = block_next(block);
    if (is_free)
        *footer_of(block) = block_size(block);
    if ((uintptr_t)next != heap->top)
        next->prev_free = is_free;
}

// Takes the free block after this one off its list, and returns its size; 0 if there is none.
static inline size_t take_next(struct ma_heap *heap, const struct block *block)
{
    struct block *next = block_next(block);
    bool is_free = (uintptr_t)next != heap->top && block_state(next) == MA_BLOCK_FREE;
    return is_free && list_remove(heap, next) ? block_size(next) : 0;
}

// So too with the free block before it; the footer tells where it begins.
static inline size_t take_prev(struct ma_heap *heap, const struct block *block)
{
    bool is_free = block->prev_free && trust(heap, footer_intact(heap, block), payload_of(block),
                                             "the freed block before it is overwritten");
    return is_free && list_remove(heap, block_prev(block)) ? block_size(block_prev(block)) : 0;
}

// Merges a block that becomes free with its free neighbours. These leave their lists; their headers
// remain in the payload, marked free: freeing one of them again is still found out.
//
//     | prev: free | | block | | next: free |   =>   | prev                        |
static inline struct block *coalesce(struct ma_heap *heap, struct block *block)
{
    size_t after = take_next(heap, block);
    size_t before = take_prev(heap, block);
    if (before + after == 0)
        return block;
    struct block *first = pointer_to((uintptr_t)block - before);
    block_set_size(heap, first, before + block_size(block) + after);
    return first;
}

#endif
