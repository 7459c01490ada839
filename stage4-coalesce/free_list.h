// free_list.h: the free blocks, linked both ways: one can leave from anywhere
//
//     struct ma_heap
//     +-----------+     +------+      +------+      +------+
//     | bins[i]   | --> | free | <--> | free | <--> | free |   last freed, first found
//     +-----------+     +------+      +------+      +------+

#ifndef MA_FREE_LIST_H
#define MA_FREE_LIST_H

#include "bins.h"
#include "block.h"
#include "integrity.h"

// The block goes to the front: what was freed last is reused first, while the processor's caches
// still hold it.
static inline void list_push(struct ma_heap *heap, struct block *block)
{
    size_t bin = bin_of(block->size);
    struct block **first = &heap->bins[bin];
    block->next = *first;
    block->prev = NULL;
    if (*first != NULL)
        (*first)->prev = block;
    *first = block;
    bitmap_set(heap, bin);
    heap->free_bytes += block_size(block);
    if (block_is_large(block))
        heap->purged += *purged_of(block);
}

// Takes a block off its list; false if it cannot be trusted.
//
//     prev <--> block <--> next   =>   prev <--> next
static inline bool list_remove(struct ma_heap *heap, struct block *block)
{
    size_t bin = bin_of(block->size);
    struct block **first = &heap->bins[bin];
    if (!trust(heap, is_listed(heap, block, *first), payload_of(block), write_after_free))
        return false;
    if (block->next != NULL)
        block->next->prev = block->prev;
    if (block->prev != NULL)
        block->prev->next = block->next;
    else
        *first = block->next;
    if (*first == NULL)
        bitmap_clear(heap, bin);
    heap->free_bytes -= block_size(block);
    if (block_is_large(block))
        heap->purged -= *purged_of(block);
    return true;
}

#endif
