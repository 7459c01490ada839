// purge.h: memory that is not used goes back to the system
//
//     top              touched      limit            top      touched, limit
//     v                v            v                v        v
//     +----------------+------------+                +--------+
//     |  used before   |  untouched |       =>       |  keep  |
//     +----------------+------------+                +--------+
//
//     header, links                                   footer
//     +-------------+-------+-------+-------+-----------+
//     | free block  |  page |  page |  page |           |      the pages go back, the block stays
//     +-------------+-------+-------+-------+-----------+

#ifndef MA_PURGE_H
#define MA_PURGE_H

#include "free_list.h"
#include "region.h"

enum {
    IDLE_MAX = 1 << 26, // bytes of idle memory that a heap may keep, at most
    PURGE_MIN = 1 << 16, // bytes of a free block whose pages may go back
};

// Gives memory above the top back, all but an eighth of idle_max, if more than idle_max of it was
// used. If the region has grown since it last did so, that was too early: first it may keep more.
static inline void region_trim(struct ma_heap *heap)
{
    if (!heap->owns_region || heap->touched - heap->top <= heap->idle_max)
        return;
    if (heap->trimmed != 0 && heap->limit > heap->trimmed && heap->idle_max < IDLE_MAX)
        heap->idle_max *= 2;
    heap->trimmed = 0;
    if (heap->touched - heap->top <= heap->idle_max)
        return;
    uintptr_t end = round_up(heap->top + heap->idle_max / 8, page_size());
    int saved_errno = errno; // free leaves errno alone
    if (MA_MEMORY_CHECKER)
        ma_memory_show(pointer_to(end), heap->limit - end);
    if (munmap(pointer_to(end), heap->limit - end) == 0) {
        heap->limit = end;
        heap->touched = end;
        heap->trimmed = end;
    }
    errno = saved_errno;
}

// Gives back the whole pages inside a free block. When they are used again they are zero.
static inline void block_purge(const struct block *block)
{
    uintptr_t start = round_up((uintptr_t)block + sizeof(struct block), page_size());
    uintptr_t end = (uintptr_t)footer_of(block) & ~(page_size() - 1);
    int saved_errno = errno; // free leaves errno alone
    if (start < end)
        madvise(pointer_to(start), end - start, MADV_DONTNEED);
    errno = saved_errno;
}

// Gives the pages of large free blocks back when the heap is used to an eighth of what it was, and
// again whenever its use has halved since.
static inline void region_purge(struct ma_heap *heap)
{
    if (heap->free_bytes <= heap->idle_max || !heap->owns_region)
        return;
    size_t used = heap->top - heap->base - heap->free_bytes;
    heap->purge_below = larger(heap->purge_below, used / 8);
    if (used >= heap->purge_below)
        return;
    heap->purge_below = used / 2;
    heap->purges++;
    size_t bin = bitmap_next(heap, bin_of(PURGE_MIN / ALIGNMENT));
    for (; bin < BIN_COUNT; bin = bitmap_next(heap, bin + 1))
        for (struct block *block = heap->bins[bin]; block != NULL;
             block = trusted_next(heap, block))
            block_purge(block);
}

#endif
