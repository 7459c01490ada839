// public.h: the functions of allocator.h: enter, call the operation, leave
//
// The same lines in all stages, but for the way through stage 5's cache.

#ifndef MA_PUBLIC_H
#define MA_PUBLIC_H

#include "inspect.h"
#include "misuse.h"
#include "region.h"
#include "walk.h"

#include <string.h>

// --- the operations, in allocator.c --------------------------------------------------------------

static void *heap_malloc(struct ma_heap *heap, size_t size);
static void heap_free(struct ma_heap *heap, void *pointer);
static void *heap_calloc(struct ma_heap *heap, size_t count, size_t size, size_t *to_clear);
static void *heap_realloc(struct ma_heap *heap, void *pointer, size_t size, size_t *to_copy);
static void *heap_aligned_alloc(struct ma_heap *heap, size_t alignment, size_t size);
static size_t heap_usable_size(struct ma_heap *heap, const void *pointer);

// --- blocks of a heap ----------------------------------------------------------------------------

void *ma_heap_malloc(struct ma_heap *heap, size_t size)
{
    heap_enter(heap);
    void *payload = heap_malloc(heap, size);
    heap_leave(heap, "malloc");
    return payload;
}

void ma_heap_free(struct ma_heap *heap, void *pointer)
{
    if (pointer == NULL)
        return;
    heap_enter(heap);
    heap_free(heap, pointer);
    heap_leave(heap, "free");
}

void *ma_heap_calloc(struct ma_heap *heap, size_t count, size_t size)
{
    size_t to_clear = 0; // bytes of the payload that may have been used before
    heap_enter(heap);
    void *payload = heap_calloc(heap, count, size, &to_clear);
    heap_leave(heap, "calloc");
    return payload == NULL ? NULL : memset(payload, 0, to_clear);
}

void *ma_heap_realloc(struct ma_heap *heap, void *pointer, size_t size)
{
    if (pointer == NULL)
        return ma_heap_malloc(heap, size);
    size_t to_copy = 0; // bytes, if the payload must move: the old block is still there, too
    heap_enter(heap);
    void *payload = heap_realloc(heap, pointer, size, &to_copy);
    heap_leave(heap, "realloc");
    if (to_copy != 0) {
        memcpy(payload, pointer, to_copy);
        ma_heap_free(heap, pointer);
    }
    return payload;
}

void *ma_heap_aligned_alloc(struct ma_heap *heap, size_t alignment, size_t size)
{
    heap_enter(heap);
    void *payload = heap_aligned_alloc(heap, alignment, size);
    heap_leave(heap, "aligned_alloc");
    return payload;
}

size_t ma_heap_usable_size(struct ma_heap *heap, const void *pointer)
{
    if (pointer == NULL)
        return 0;
    heap_enter(heap);
    size_t size = heap_usable_size(heap, pointer);
    heap_leave(heap, "usable_size");
    return size;
}

// --- heaps of your own ---------------------------------------------------------------------------

struct ma_heap *ma_heap_create(size_t size)
{
    if (size < MA_HEAP_MIN)
        return refuse(EINVAL);
    size_t mapped = size > MA_HEAP_MAX ? size : round_up(size, page_size());
    void *memory = mapped > MA_HEAP_MAX ? NULL : region_new(mapped);
    return memory == NULL ? refuse(ENOMEM) : heap_begin(memory, mapped, true);
}

struct ma_heap *ma_heap_init(void *memory, size_t size)
{
    if (memory == NULL || size < MA_HEAP_MIN || size > MA_HEAP_MAX)
        return refuse(EINVAL);
    return heap_begin(memory, size, false);
}

bool ma_heap_extend(struct ma_heap *heap, size_t bytes)
{
    heap_enter(heap);
    bool allowed = !heap->owns_region && bytes <= MA_HEAP_MAX - (heap->limit - heap->start);
    if (allowed)
        heap->limit += bytes;
    else
        errno = EINVAL;
    heap_leave(heap, "extend");
    return allowed;
}

size_t ma_heap_destroy(struct ma_heap *heap)
{
    if (heap == NULL)
        return 0;
    if (is_default(heap)) {
        heap_enter(heap);
        note_misuse(heap, heap, "the default heap cannot be destroyed");
        heap_leave(heap, "heap_destroy");
        return 0;
    }
    size_t live = heap_stats(heap).live_blocks;
    if (live != 0)
        warn_of_live_blocks(heap, live);
    heap_end(heap);
    return live;
}

struct ma_heap *ma_default_heap(void)
{
    return &default_heap;
}

// --- looking inside ------------------------------------------------------------------------------

bool ma_heap_walk(struct ma_heap *heap, ma_visitor *visit, void *context)
{
    heap_enter(heap);
    bool complete = heap_walk(heap, visit, context);
    heap_leave(heap, "walk");
    return complete;
}

struct ma_stats ma_heap_stats(struct ma_heap *heap)
{
    heap_enter(heap);
    struct ma_stats stats = heap_stats(heap);
    heap_leave(heap, "stats");
    return stats;
}

const char *ma_heap_check(struct ma_heap *heap)
{
    heap_enter(heap);
    const char *broken = heap_check(heap);
    heap_leave(heap, "check");
    return broken;
}

// --- the default heap ----------------------------------------------------------------------------

#if !MA_THREAD_CACHE // else cached.h has these
void *ma_malloc(size_t size)
{
    return ma_heap_malloc(&default_heap, size);
}

void ma_free(void *pointer)
{
    ma_heap_free(&default_heap, pointer);
}

void *ma_calloc(size_t count, size_t size)
{
    return ma_heap_calloc(&default_heap, count, size);
}

void *ma_realloc(void *pointer, size_t size)
{
    return ma_heap_realloc(&default_heap, pointer, size);
}

void *ma_aligned_alloc(size_t alignment, size_t size)
{
    return ma_heap_aligned_alloc(&default_heap, alignment, size);
}

size_t ma_usable_size(const void *pointer)
{
    return ma_heap_usable_size(&default_heap, pointer);
}
#endif

#endif
