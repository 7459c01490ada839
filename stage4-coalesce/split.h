// split.h: a block that is too large gives up what it does not need
//
//     block                                     block     rest
//     v                                         v         v
//     +--------+--------------------+           +---------+--------------------+
//     | header |  payload           |     =>    |  size   | header |  payload  |
//     +--------+--------------------+           +---------+--------------------+

#ifndef MA_SPLIT_H
#define MA_SPLIT_H

#include "integrity.h"

// Cuts a block in two after size bytes and returns the second; NULL if it would be too small.
static inline struct block *block_split(struct ma_heap *heap, struct block *block, size_t size)
{
    size_t rest_size = block_size(block) - size;
    if (rest_size < MIN_BLOCK)
        return NULL;
    block_set_size(heap, block, size);
    struct block *rest = block_begin(heap, block_next(block), rest_size);
    block_set_state(rest, block_state(block));
    return rest;
}

#endif
