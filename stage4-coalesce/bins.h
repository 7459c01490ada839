// bins.h: size classes: a list for each, and which of them hold a block
//
//     bitmap   0    0    1    0    1    1   ...         which bins hold a block
//     bins     .    .   [ ]   .   [ ]  [ ]  ...
//     bytes    0   16    32  48    64   80  ...  1024-1055  1056-1087  ...

#ifndef MA_BINS_H
#define MA_BINS_H

#include "heap.h"

static_assert(BIN_COUNT % 64 == 0, "the bitmap is made of whole words");

// The bin for blocks of a size, in units of ALIGNMENT. The first bins hold one size each. Above,
// the highest bit of the size picks 32 bins and the five bits below it one of them, as in TLSF
// (Masmano et al., 2004):
//
//     1xxxxx......  ->  64 + 32 * (position of the 1, less 6) + xxxxx
//
// __builtin_clzll counts the zeros above the highest 1; 63 ^ n is 63 - n, for n up to 63.
static inline size_t bin_of(size_t units)
{
    if (units < SMALL_BINS)
        return units;
    size_t highest = 63 ^ (size_t)__builtin_clzll(units); // the position of the highest 1
    size_t below = (units >> (highest - 5)) - BINS_PER_DOUBLING;
    return SMALL_BINS + (highest - 6) * BINS_PER_DOUBLING + below;
}

// Marks a bin as filled.
static inline void bitmap_set(struct ma_heap *heap, size_t bin)
{
    heap->bitmap[bin / 64] |= (uint64_t)1 << (bin % 64);
}

static inline void bitmap_clear(struct ma_heap *heap, size_t bin)
{
    heap->bitmap[bin / 64] &= ~((uint64_t)1 << (bin % 64));
}

// The first bin, from bin on, that holds a block; BIN_COUNT if none does.
static inline size_t bitmap_next(const struct ma_heap *heap, size_t bin)
{
    uint64_t below = ((uint64_t)1 << (bin % 64)) - 1;
    for (size_t word = bin / 64; word < BIN_COUNT / 64; word++) {
        uint64_t bits = heap->bitmap[word] & ~below;
        if (bits != 0)
            return word * 64 + (size_t)__builtin_ctzll(bits);
        below = 0;
    }
    return BIN_COUNT;
}

#endif
