// Stage 4: coalesce
//
// Adds: boundary tags, by which free neighbours become one block (coalesce.h); blocks that grow
// where they lie (lengthen.h); memory that goes back to the system (purge.h).
//
//     free     | used | free | used | free | used |   =>   | used | free               | used |
//
// This is the only file that is compiled. It includes the others; public.h turns the operations
// below into the functions of allocator.h.
//
// Cost of malloc: constant; it looks at 64 free blocks at most.
// Cost of free: constant.
// Cost of realloc: constant where the top or a free block after it has room, else a copy.
// Space: up to 15 bytes a block to round its size up.
// And 8 bytes a block for its header; no block is smaller than 32.

#include "fill.h"
#include "integrity.h"
#include "lengthen.h"
#include "public.h"
#include "split.h"
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
    // Above touched, in a region that the heap owns, memory is as the system gave it: zero.
    uintptr_t zero_from = heap->owns_region && !MA_FILL ? heap->touched : UINTPTR_MAX;
    void *payload = heap_malloc(heap, count * size);
    *to_clear = smaller(count * size, zero_from - (uintptr_t)payload);
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
        block_shorten(heap, block_of(pointer), block_size_for(size));
        return pointer;
    }
    if (size <= max_payload && block_lengthen(heap, block_of(pointer), block_size_for(size))) {
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
    struct block *block = block_take(heap, alignment + MIN_BLOCK + wanted);
    if (block == NULL)
        return NULL;
    size_t gap = gap_before_aligned((uintptr_t)block, alignment);
    if (gap != 0) {
        struct block *before = block;
        block = block_split(heap, before, gap); // not NULL: what follows is large enough
        block_release(heap, before);
    }
    block_shorten(heap, block, wanted);
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
