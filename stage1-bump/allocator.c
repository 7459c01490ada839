// Stage 1: bump
//
// Adds: a region of memory and one pointer, the top, that only moves up (region.h).
//
//     before   | block | block |  not handed out             |
//                              ^ top
//     malloc   | block | block | block |  not handed out     |
//                                      ^ top
//
// This is the only file that is compiled. It includes the others; public.h turns the operations
// below into the functions of allocator.h.
//
// Cost of malloc: constant.
// Cost of free: constant.
// Space: up to 15 bytes a block to round its size up.

#include "fill.h"
#include "integrity.h"
#include "public.h"
#include "region.h"

static void *heap_malloc(struct ma_heap *heap, size_t size)
{
    if (size > max_payload)
        return refuse(ENOMEM);
    uintptr_t address = bump(heap, block_size_for(size));
    return address == 0 ? NULL : hand_out(pointer_to(address), size);
}

static void heap_free(struct ma_heap *heap, void *pointer)
{
    is_payload(heap, pointer); // nobody knows how large the block is: it stays
}

static void *heap_calloc(struct ma_heap *heap, size_t count, size_t size, size_t *to_clear)
{
    if (size != 0 && count > max_payload / size)
        return refuse(ENOMEM);
    void *payload = heap_malloc(heap, count * size);
    *to_clear = count * size; // it may have been used before
    return payload;
}

static void *heap_realloc(struct ma_heap *heap, void *pointer, size_t size, size_t *to_copy)
{
    if (!is_payload(heap, pointer))
        return NULL;
    if (size == 0) {
        heap_free(heap, pointer);
        return NULL;
    }
    size_t old_size = heap->top - (uintptr_t)pointer; // at most: the true size is unknown
    void *moved = heap_malloc(heap, size);
    if (moved != NULL) {
        *to_copy = smaller(old_size, size);
    }
    return moved;
}

static void *heap_aligned_alloc(struct ma_heap *heap, size_t alignment, size_t size)
{
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        return refuse(EINVAL); // no power of two
    if (alignment <= ALIGNMENT)
        return heap_malloc(heap, size);
    if (size > max_payload || alignment > max_payload - size)
        return refuse(ENOMEM);
    if (!room_for(heap, alignment + block_size_for(size)))
        return NULL;
    size_t gap = round_up(heap->top, alignment) - heap->top;
    return hand_out(pointer_to(bump(heap, gap + block_size_for(size)) + gap), size);
}

static size_t heap_usable_size(struct ma_heap *heap, const void *pointer)
{
    is_payload(heap, pointer); // if not, it is noted
    return 0; // unknown
}
