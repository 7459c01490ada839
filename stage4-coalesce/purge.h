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

// Bytes that were used and are not: above the top, and in free blocks, but for purged pages.
static inline size_t idle_bytes(const struct ma_heap *heap)
{
    return heap->touched - heap->top + heap->free_bytes - heap->purged;
}

// Whether more memory is idle than may be, with the given bytes of a block that is on no list. What
// went back and was needed again, went back too early: from now on, so much more may be.
static inline bool is_too_idle(struct ma_heap *heap, size_t bytes)
{
    size_t idle = idle_bytes(heap) + bytes;
    if (!heap->owns_region || idle <= heap->idle_max)
        return false;
    heap->idle_max += heap->regretted;
    heap->regretted = 0;
    return idle > heap->idle_max;
}

// Gives memory above the top back, all but an eighth of idle_max, if too much is idle.
static inline void region_trim(struct ma_heap *heap)
{
    if (!is_too_idle(heap, 0))
        return;
    uintptr_t limit = heap->limit;
    uintptr_t end = round_up(heap->top + heap->idle_max / 8, page_size());
    if (heap->touched - heap->top < heap->idle_max / 4)
        return; // not page by page
    int saved_errno = errno; // free leaves errno alone
    if (MA_MEMORY_CHECKER)
        ma_memory_show(pointer_to(end), limit - end);
    if (munmap(pointer_to(end), limit - end) == 0) {
        heap->limit = end;
        heap->touched = end;
        heap->trimmed += limit - end;
    }
    errno = saved_errno;
}

// Gives back the whole pages inside a free block. When they are used again they are zero.
static inline void block_purge(const struct block *block)
{
    uintptr_t start = round_up((uintptr_t)purged_of(block) + sizeof(size_t), page_size());
    uintptr_t end = (uintptr_t)footer_of(block) & ~(page_size() - 1);
    int saved_errno = errno; // free leaves errno alone
    if (start < end)
        madvise(pointer_to(start), end - start, MADV_DONTNEED);
    errno = saved_errno;
}

// Gives back the pages of a block that becomes free, if too much is idle. Is only a sixteenth of it
// idle, or less than PURGE_MIN, then that is not worth the time. Nor if it ends at the top, and
// region_trim would let it stay.
static inline bool region_purge(struct ma_heap *heap, const struct block *block, size_t *purged)
{
    size_t idle = block_size(block) - *purged;
    bool is_last = (uintptr_t)block_next(block) == heap->top;
    if (is_last && heap->touched - (uintptr_t)block < heap->idle_max / 4)
        return false;
    if (idle < PURGE_MIN || idle < block_size(block) / 16 || heap->problem != NULL ||
        !is_too_idle(heap, idle))
        return false;
    block_purge(block);
    *purged = block_size(block);
    return true;
}

#endif
