// fit.h: which free block serves a request
//
//     wanted: a block of 1040 bytes
//     bins[1024-1055] --> 1024 --> 1040        its own bin: of the first 32, the smallest that fits
//     bins[1056-1087] --> 1072 --> 1056        else the next that is not empty: all of them fit

#ifndef MA_FIT_H
#define MA_FIT_H

#include "free_list.h"

enum {
    SEARCH_MAX = 32, // candidates looked at in one bin
};

// The smallest of the bin's first blocks that is large enough, or NULL.
static inline struct block *bin_best(struct ma_heap *heap, size_t bin, size_t size)
{
    struct block *best = NULL;
    struct block *block = heap->bins[bin];
    if (bin < SMALL_BINS)
        return block;
    for (int seen = 0; block != NULL && seen < SEARCH_MAX; seen++) {
        if (block_size(block) == size)
            return block;
        if (block_size(block) > size && (best == NULL || block_size(block) < block_size(best)))
            best = block;
        block = trusted_next(heap, block);
    }
    return best;
}

// Best fit: the smallest block that is large enough, of those looked at, or NULL. If the request's
// own bin holds none, every block of the next bin that is not empty is large enough.
static inline struct block *find_fit(struct ma_heap *heap, size_t size)
{
    size_t bin = bin_of(size / ALIGNMENT);
    struct block *best = bin_best(heap, bin, size);
    if (best != NULL)
        return best;
    bin = bitmap_next(heap, bin + 1);
    return bin < BIN_COUNT ? bin_best(heap, bin, size) : NULL;
}

#endif
