// fit.h: which free block serves a request
//
//     wanted: a block of 112 bytes
//     free_list --> 64 --> 208 --> 112        first fit takes the 208: it comes first
//                   too    ^
//                   small

#ifndef MA_FIT_H
#define MA_FIT_H

#include "free_list.h"

// First fit: the first block on the list that is large enough, or NULL.
static inline struct block *find_fit(struct ma_heap *heap, size_t size)
{
    struct block *block = heap->free_list;
    while (block != NULL && block_size(block) < size)
        block = trusted_next(heap, block);
    return block;
}

#endif
