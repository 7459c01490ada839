// region.h: where memory comes from: a region, and its top
//
//     top                  limit            address  top         limit
//     v                    v                v        v           v
//     +--------------------+       =>       +--------+-----------+
//     |  not handed out    |                |  size  | the rest  |
//     +--------------------+                +--------+-----------+

#ifndef MA_REGION_H
#define MA_REGION_H

#include "heap.h"

#include <sys/mman.h>
#include <unistd.h>

static _Alignas(ALIGNMENT) unsigned char static_region[MA_HEAP_SIZE]; // the default heap's

static inline void region_begin(struct ma_heap *heap, uintptr_t start, uintptr_t base,
                                uintptr_t limit)
{
    heap->start = start;
    heap->base = first_block(base);
    heap->top = heap->base;
    heap->limit = limit;
}

static inline size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

// A new region of size bytes, which the system fills with zeros; NULL if it refuses.
static inline void *region_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

// The default heap's region, on its first call. It is there; from stage 2 on it may be refused.
static inline bool region_first(struct ma_heap *heap)
{
    uintptr_t start = (uintptr_t)static_region;
    region_begin(heap, start, start, start + sizeof static_region);
    return true;
}

// Makes room for size bytes above the top. From stage 2 on a region can grow.
static inline bool region_grow(struct ma_heap *heap, size_t size)
{
    if (!heap->owns_region || (heap->limit == 0 && !region_first(heap)))
        return false;
    return size <= heap->limit - heap->top; // the region stays as large as it is
}

// Whether size bytes lie between top and limit, if need be after growing.
static inline bool room_for(struct ma_heap *heap, size_t size)
{
    if (size <= heap->limit - heap->top || region_grow(heap, size))
        return true;
    errno = ENOMEM;
    return false;
}

// Moves the top up by size bytes and returns where it was; 0 if there is no room.
static inline uintptr_t bump(struct ma_heap *heap, size_t size)
{
    if (!room_for(heap, size))
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

// Ends it; a region that the heap owns goes back to the system.
static inline void heap_end(struct ma_heap *heap)
{
    if (heap->owns_region)
        munmap(pointer_to(heap->start), heap->limit - heap->start);
}

#endif
