// Stage 2: free
//
// Adds: a header before every payload (block.h), a list of the free blocks (free_list.h), and the
// first on it that fits (fit.h). malloc and free take and give such blocks (take.h). The region
// grows (region.h), and misuse is seen (integrity.h).
//
//     malloc   | used | free | used |  top      =>   | used | used | used |  top
//     free     | used | used | used |  top      =>   | used | free | used |  top
//
// This is the only file that is compiled. It includes the others; public.h turns the operations
// below into the functions of allocator.h.
//
// Cost of malloc: up to the number of free blocks.
// Cost of free: constant.
// Space: up to 15 bytes a block to round its size up.
// And 8 bytes a block for its header; no block is smaller than 32.

#include "fill.h"
#include "integrity.h"
#include "public.h"
#include "take.h"

static void *heap_malloc(struct ma_heap *heap, size_t size)
{
    if (size > max_payload)
        return refuse(ENOMEM);
    struct block *block = block_take(heap, block_size_for(size));
    return block == NULL ? NULL : hand_out(payload_of(block), size);
}

static void heap_free(struct ma_heap *heap, void *pointer)
{
    if (!is_payload(heap, pointer, "double free"))
        return;
    take_back(pointer);
    block_release(heap, block_of(pointer));
}

static void *heap_calloc(struct ma_heap *heap, size_t count, size_t size, size_t *to_clear)
{
    if (size != 0 && count > max_payload / size)
        return refuse(ENOMEM);
    // Above the top of a region that the heap owns, memory is as the system gave it: zero.
    uintptr_t zero_from = heap->owns_region && !MA_FILL ? heap->top : UINTPTR_MAX;
    void *payload = heap_malloc(heap, count * size);
    *to_clear = count * size; // it may have been used before
    if ((uintptr_t)payload >= zero_from && (uintptr_t)payload < heap->limit)
        *to_clear = 0;
    return payload;
}

static void *heap_realloc(struct ma_heap *heap, void *pointer, size_t size, size_t *to_copy)
{
    if (!is_payload(heap, pointer, "already freed"))
        return NULL;
    if (size == 0) {
        heap_free(heap, pointer);
        return NULL;
    }
    size_t old_size = payload_size(block_of(pointer));
    if (size <= old_size) {
        tell_checker(pointer, size);
        return pointer;
    }
    void *moved = heap_malloc(heap, size);
    if (moved != NULL) {
        tell_checker(pointer, old_size); // all of it is copied
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
    size_t wanted = block_size_for(size);
    if (!room_for(heap, alignment + MIN_BLOCK + wanted))
        return NULL;
    size_t gap = gap_before_aligned(heap->top, alignment);
    struct block *block = block_bump(heap, gap + wanted);
    if (block == NULL)
        return NULL;
    if (gap != 0) {
        struct block *before = block;
        block_set_size(heap, before, gap);
        block = block_begin(heap, block_next(before), wanted);
        block_release(heap, before);
    }
    block_set_state(block, MA_BLOCK_USED);
    return hand_out(payload_of(block), size);
}

static size_t heap_usable_size(struct ma_heap *heap, const void *pointer)
{
    if (!is_payload(heap, pointer, "already freed"))
        return 0;
    size_t size = payload_size(block_of(pointer));
    tell_checker(pointer, size); // the program may use all of it now
    return size;
}
