// magazine.h: a stack of blocks of one size, ready for one thread's requests
//
//     push -->  +-------+
//     pop  <--  | block |   freed last, given first
//               | block |
//               | block |   an empty magazine is filled from the heap, a full one emptied into it
//               +-------+
//
// The idea and its name are of Bonwick and Adams, "Magazines and Vmem" (2001).

#ifndef MA_MAGAZINE_H
#define MA_MAGAZINE_H

#include "take.h"

#include <string.h>

struct magazine {
    struct block **blocks;
    uint32_t count;
    uint32_t capacity; // blocks that it may hold
};

// Turns a block that is taken from the heap, or freed by the program, into a cached one. It is on
// no list: its link leads to itself, which shows whether the program writes there.
static inline void block_set_cached(struct block *block)
{
    block_set_state(block, MA_BLOCK_CACHED);
    block->next = block;
}

static inline void magazine_push(struct magazine *magazine, struct block *block)
{
    block_set_cached(block);
    magazine->blocks[magazine->count++] = block;
}

// Takes the block freed last; NULL if there is none, or if it was overwritten.
static inline struct block *magazine_pop(struct magazine *magazine)
{
    if (magazine->count == 0)
        return NULL;
    struct block *block = magazine->blocks[magazine->count - 1];
    if (!is_cached(&default_heap, block))
        return NULL;
    magazine->count--;
    return block;
}

// Begins a cached block in memory that is taken.
static inline struct block *cached_begin(struct block *block, size_t size)
{
    block_begin(&default_heap, block, size);
    block_set_cached(block);
    return block;
}

// Fills an empty magazine from the heap, with blocks cut from runs:
//
//     | run                   |   =>   | block | block | block |
//
// The first of them will be handed out first: what is used one after the other lies that way, too.
static inline void magazine_fill(struct magazine *magazine, size_t size)
{
    size_t missing = magazine->capacity;
    heap_enter(&default_heap);
    while (missing > 0) {
        struct block *block = block_take_run(&default_heap, size, missing * size);
        if (block == NULL)
            break;
        size_t rest = block_size(block);
        for (; rest >= 2 * size; rest -= size) {
            magazine->blocks[--missing] = cached_begin(block, size);
            block = block_next(block);
        }
        magazine->blocks[--missing] = cached_begin(block, rest);
    }
    magazine->count = (uint32_t)(magazine->capacity - missing);
    memmove(magazine->blocks, magazine->blocks + missing, magazine->count * sizeof(struct block *));
    heap_leave(&default_heap, "malloc");
}

// Gives the blocks that lie in a row from first to end back to the heap, as one.
static inline void run_release(struct block *first, const struct block *end)
{
    if (block_next(first) != end)
        block_set_size(&default_heap, first, (uintptr_t)end - (uintptr_t)first);
    if (trust(&default_heap, next_intact(&default_heap, first), payload_of(first), overflow))
        block_release(&default_heap, first);
}

// Too much is idle, and yet does not go back: it is the cached blocks that hold its pages, one in
// each. So all caches should be emptied when the heap is used to an eighth of what it was, and again
// whenever its use has halved since.
static inline void note_ebb(struct ma_heap *heap)
{
    if (idle_bytes(heap) <= heap->idle_max)
        return;
    size_t used = heap->top - heap->base - heap->free_bytes;
    for (const struct region *region = heap->older; region != NULL; region = region->older)
        used += region->top - region->base;
    heap->flush_below = larger(heap->flush_below, used / 8);
    if (used >= heap->flush_below)
        return;
    heap->flush_below = used / 2;
    heap->flushes++;
}

// Gives all blocks of a magazine back to the heap. Blocks that were freed one after the other often
// lie in a row, upward or downward: then they need not be merged one by one.
static inline void magazine_flush(struct magazine *magazine, const char *operation)
{
    if (magazine->count == 0)
        return;
    heap_enter(&default_heap);
    struct block **blocks = magazine->blocks;
    struct block *first = NULL;
    struct block *end = NULL;
    for (size_t i = magazine->count; i > 0; i--) {
        struct block *block = blocks[i - 1];
        if (!trust(&default_heap, is_cached(&default_heap, block), payload_of(block),
                   write_after_free))
            continue;
        if (block == end) {
            block_set_state(block, MA_BLOCK_FREE); // its header remains, as that of a merged block
            end = block_next(block);
        } else if (block_next(block) == first) {
            block_set_state(first, MA_BLOCK_FREE);
            first = block;
        } else {
            if (first != NULL)
                run_release(first, end);
            first = block;
            end = block_next(block);
        }
    }
    if (first != NULL)
        run_release(first, end);
    magazine->count = 0;
    note_ebb(&default_heap);
    heap_leave(&default_heap, operation);
}

#endif
