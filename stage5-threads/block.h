// block.h: a block: a header, and the payload after it
//
//     used block                       free block
//     +--------+-------------------+   +--------+------+------+------------+
//     | header |  payload          |   | header | next | prev |            |
//     +--------+-------------------+   +--------+------+------+------------+
//     8 bytes  ^ multiple of 16        links to its neighbours on the list

#ifndef MA_BLOCK_H
#define MA_BLOCK_H

#include "heap.h"

struct block {
    uint32_t size; // of the whole block, in units of ALIGNMENT
    uint16_t check; // shows whether the header was overwritten: integrity.h
    _Atomic uint8_t state; // enum ma_block_state; its owner writes it without the mutex
    _Atomic uint8_t prev_free; // the block before this one is free and ends with a footer
    struct block *next; // a used block's payload begins here; a free block keeps its links in it
    struct block *prev;
};

static_assert(offsetof(struct block, next) == HEADER_SIZE, "the header is 8 bytes");
static_assert(sizeof(struct block) + sizeof(uintptr_t) <= MIN_BLOCK,
              "the smallest block can be free");

static inline struct block *block_of(const void *payload)
{
    return pointer_to((uintptr_t)payload - HEADER_SIZE);
}

static inline void *payload_of(const struct block *block)
{
    return pointer_to((uintptr_t)block + HEADER_SIZE);
}

static inline size_t block_size(const struct block *block)
{
    return (size_t)block->size * ALIGNMENT;
}

static inline size_t payload_size(const struct block *block)
{
    return block_size(block) - HEADER_SIZE;
}

// The block after this one in memory; the top, if this is the last.
static inline struct block *block_next(const struct block *block)
{
    return pointer_to((uintptr_t)block + block_size(block));
}

// The last word of a block; in a free block it holds the block's size.
static inline uintptr_t *footer_of(const struct block *block)
{
    return pointer_to((uintptr_t)block_next(block) - sizeof(uintptr_t));
}

// Whether a block is so large that its pages may go back while it is free.
static inline bool block_is_large(const struct block *block)
{
    return block->size >= PURGE_MIN / ALIGNMENT;
}

// Such a block notes behind its links how many of its bytes have no pages.
static inline size_t *purged_of(const struct block *block)
{
    return pointer_to((uintptr_t)(block + 1));
}

// The block before this one, if it is free: the footer tells where it begins.
static inline struct block *block_prev(const struct block *block)
{
    const uintptr_t *footer = pointer_to((uintptr_t)block - sizeof(uintptr_t));
    return pointer_to((uintptr_t)block - *footer);
}

static inline enum ma_block_state block_state(const struct block *block)
{
    return atomic_load_explicit(&block->state, memory_order_relaxed);
}

static inline void block_set_state(struct block *block, enum ma_block_state state)
{
    atomic_store_explicit(&block->state, (uint8_t)state, memory_order_relaxed);
}

// Bytes to leave out at address, so that the payload of a block after them is aligned.
// They are none, or room for a block:
//
//     address           a multiple of alignment
//     v                 v
//     +--------+--------+---------
//     |  gap   | header | payload
//     +--------+--------+---------
static inline size_t gap_before_aligned(uintptr_t address, size_t alignment)
{
    size_t gap = round_up(address + HEADER_SIZE, alignment) - HEADER_SIZE - address;
    if (gap != 0 && gap < MIN_BLOCK)
        gap += alignment;
    return gap;
}

#endif
