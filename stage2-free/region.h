// region.h: where memory comes from: a region that grows, and its top
//
//     top                  limit            address  top         limit
//     v                    v                v        v           v
//     +--------------------+       =>       +--------+-----------+
//     |  not handed out    |                |  size  | the rest  |
//     +--------------------+                +--------+-----------+
//
// When there is no room, the limit moves up: the system is asked for the next pages. If it cannot
// give these, the heap goes on in a new region.

#ifndef MA_REGION_H
#define MA_REGION_H

#include "free_list.h"
#include "integrity.h"

#include <sys/mman.h>
#include <unistd.h>

static uint32_t region_count; // that were begun; a heap has the number of its first

static inline void region_begin(struct ma_heap *heap, uintptr_t start, uintptr_t base,
                                uintptr_t limit)
{
    heap->start = start;
    heap->base = first_block(base);
    heap->top = heap->base;
    heap->limit = limit;
    uint32_t number = ++region_count;
    if (heap->number == 0)
        heap->number = number;
}

static inline size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

// Asks the system for size bytes of zeros, at hint if it can; NULL if it refuses.
static inline void *region_map(void *hint, size_t size)
{
    void *memory = mmap(hint, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

// A new region of size bytes, far from everything else, so that it can grow: below where 64-bit
// systems put the program (memory checkers leave that free, too), or in the first gigabyte of 32-bit
// ones. The address in there is as random as the stack's, and another for each region.
static inline void *region_new(size_t size)
{
    uint64_t bits = ((uintptr_t)&bits + region_count) * 0x9E3779B97F4A7C15;
    uint64_t hint = sizeof(void *) < 8
                        ? 0x10000000 + (bits >> 32 & 0x3FC00000) // 256 MiB to 1.2 GiB
                        : 0x550000000000 + (bits >> 26 & 0x3FFFE00000); // 256 GiB of it
    return region_map(pointer_to((uintptr_t)hint), size);
}

// The default heap's region, on its first call.
static inline bool region_first(struct ma_heap *heap)
{
    size_t size = round_up(MA_HEAP_SIZE, page_size());
    uintptr_t start = (uintptr_t)region_new(size);
    if (start == 0)
        return false;
    region_begin(heap, start, start, start + size);
    return true;
}

// Maps the next size bytes after the limit. Mapped elsewhere they are of no use and go back.
static inline bool region_append(struct ma_heap *heap, size_t size)
{
    if (size > MA_HEAP_MAX - (heap->limit - heap->start))
        return false;
    void *wanted = pointer_to(heap->limit);
    void *memory = region_map(wanted, size);
    if (memory == wanted)
        heap->limit += size;
    else if (memory != NULL)
        munmap(memory, size);
    return memory == wanted;
}

// Makes room for size bytes above the top.
static inline bool region_grow(struct ma_heap *heap, size_t size)
{
    if (!heap->owns_region || (heap->limit == 0 && !region_first(heap)))
        return false;
    if (size <= heap->limit - heap->top)
        return true;
    size_t missing = round_up(size - (heap->limit - heap->top), page_size());
    size_t eighth = round_up((heap->limit - heap->start) / 8, page_size());
    return region_append(heap, larger(missing, larger(eighth, GROW_MIN))) ||
           region_append(heap, missing); // the system may refuse more than that
}

// Ends the region, which the heap leaves. What is not handed out becomes a free block. After it, a
// header of size 0 is a neighbour that is never free, and that nobody can free.
//
//     +-------+-------+--------------------+---+
//     | block | block |  free              | 0 |
//     +-------+-------+--------------------+---+
static inline void region_end(struct ma_heap *heap, struct region *region)
{
    size_t size = region->limit - HEADER_SIZE - region->top;
    struct block *rest = pointer_to(region->top);
    if (size >= MIN_BLOCK)
        region->top += size;
    block_set_state(block_begin(heap, pointer_to(region->top), 0), MA_BLOCK_USED);
    if (size >= MIN_BLOCK) {
        block_set_state(block_begin(heap, rest, size), MA_BLOCK_FREE);
        list_push(heap, rest);
    }
}

// Goes on in a new region with room for size bytes, because this one cannot grow. It is twice as
// large, if the system allows that, so that there are never many.
static inline bool region_move(struct ma_heap *heap, size_t size)
{
    size_t needed = round_up(sizeof(struct region) + ALIGNMENT + size, page_size());
    if (!heap->owns_region || heap->limit == 0 || needed > MA_HEAP_MAX || !top_trusted(heap))
        return false;
    size_t mapped = larger(needed, smaller(2 * (heap->limit - heap->start), MA_HEAP_MAX));
    struct region *region = region_new(mapped);
    if (region == NULL)
        region = region_new(mapped = needed);
    if (region == NULL)
        return false;
    *region = (struct region){heap->start, heap->base, heap->top, heap->limit, heap->older};
    region_end(heap, region);
    heap->older = region;
    region_begin(heap, (uintptr_t)region, (uintptr_t)(region + 1), (uintptr_t)region + mapped);
    return true;
}

// Whether size bytes lie between top and limit, if need be after growing.
static inline bool room_for(struct ma_heap *heap, size_t size)
{
    if (size <= heap->limit - heap->top || region_grow(heap, size) || region_move(heap, size))
        return true;
    errno = ENOMEM;
    return false;
}

// Moves the top up by size bytes and returns where it was; 0 if there is no room.
static inline uintptr_t bump(struct ma_heap *heap, size_t size)
{
    if (!room_for(heap, size) || !top_trusted(heap))
        return 0;
    uintptr_t address = heap->top;
    heap->top += size;
    return address;
}

// Makes a heap that lies at the start of its own region.
static inline struct ma_heap *heap_begin(void *memory, size_t size, bool owns_region)
{
    uintptr_t start = (uintptr_t)memory;
    struct ma_heap *heap = pointer_to(round_up(start, ALIGNMENT));
    *heap = (struct ma_heap){.owns_region = owns_region};
    region_begin(heap, start, (uintptr_t)(heap + 1), start + size);
    return heap;
}

// Ends it; a region that the heap owns goes back to the system. The heap lies in the oldest.
static inline void heap_end(struct ma_heap *heap)
{
    while (heap->older != NULL) {
        struct region older = *heap->older; // it lies in the region that goes
        if (MA_MEMORY_CHECKER)
            ma_memory_show(pointer_to(heap->start), heap->limit - heap->start);
        munmap(pointer_to(heap->start), heap->limit - heap->start);
        heap->start = older.start;
        heap->limit = older.limit;
        heap->older = older.older;
    }
    if (MA_MEMORY_CHECKER)
        ma_memory_show(pointer_to(heap->start), heap->limit - heap->start);
    if (heap->owns_region)
        munmap(pointer_to(heap->start), heap->limit - heap->start);
}

#endif
