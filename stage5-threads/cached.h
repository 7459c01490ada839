// cached.h: malloc and its relatives on the default heap, through the cache
//
//     ma_malloc --> the loaded magazine --> or, out of line: the other one --> the heap

#ifndef MA_CACHED_H
#define MA_CACHED_H

#include "public.h"

#if MA_THREAD_CACHE

#include "cache.h"

enum {
    ALIGNED_TRIES = 4, // blocks of a magazine that aligned_alloc looks at
};

// The bin whose magazines may hold a block for a request of size bytes: the first whose smallest
// block is large enough. 0 if there is none.
static inline size_t cache_bin_for(size_t size)
{
    if (size > CACHE_MAX - HEADER_SIZE)
        return 0;
    size_t units = block_size_for(size) / ALIGNMENT;
    return units < SMALL_BINS ? units : bin_of(units - 1) + 1;
}

// Whether this is a block in use: what can be known without the mutex.
static inline bool is_used(const struct block *block)
{
    return can_be_block(&default_heap, (uintptr_t)block) && header_intact(&default_heap, block) &&
           block_state(block) == MA_BLOCK_USED;
}

// The bin whose magazines may hold a block in use; 0 if there is none, or if this is no such block.
static inline size_t cache_bin_of(const struct block *block)
{
    return is_used(block) && block->size <= CACHE_MAX / ALIGNMENT ? bin_of(block->size) : 0;
}

// A used block from the loaded magazine; NULL if it has none.
static inline struct block *cache_take(size_t bin)
{
    struct block *block = magazine_pop(&cache->loaded[bin]);
    if (block != NULL)
        block_set_state(block, MA_BLOCK_USED);
    return block;
}

// free into the loaded magazine; false if that cannot be.
static inline bool cache_free(void *pointer)
{
    struct block *block = block_of(pointer);
    struct magazine *loaded = &cache->loaded[cache_bin_of(block)];
    if (loaded->count == loaded->capacity)
        return false;
    take_back(pointer);
    magazine_push(loaded, block);
    return true;
}

// What malloc and free do when the loaded magazine is of no help. They are functions of their own,
// so that the compiler keeps the way through the cache short.
static __attribute__((noinline)) void *malloc_slowly(size_t size)
{
    size_t bin = cache_bin_for(size);
    struct block *block = bin != 0 && cache_refill(bin) ? cache_take(bin) : NULL;
    return block != NULL ? hand_out(payload_of(block), size) : ma_heap_malloc(&default_heap, size);
}

// Misuse is left for ma_heap_free to name.
static __attribute__((noinline)) void free_slowly(void *pointer)
{
    size_t bin = cache_bin_of(block_of(pointer));
    if (bin == 0 || !cache_drain(bin) || !cache_free(pointer))
        ma_heap_free(&default_heap, pointer);
}

void *ma_malloc(size_t size)
{
    struct block *block = cache_take(cache_bin_for(size));
    return block != NULL ? hand_out(payload_of(block), size) : malloc_slowly(size);
}

void ma_free(void *pointer)
{
    if (!cache_free(pointer))
        free_slowly(pointer);
}

void *ma_calloc(size_t count, size_t size)
{
    if (count > CACHE_MAX || size > CACHE_MAX || count * size > CACHE_MAX)
        return ma_heap_calloc(&default_heap, count, size);
    void *payload = ma_malloc(count * size);
    return payload == NULL ? NULL : memset(payload, 0, count * size);
}

// realloc without the mutex; NULL if that cannot be. Neighbours of small blocks are seldom free, so
// it does not look for room there. A block that shrinks by more than one bin is left to the heap,
// to split.
static inline void *cache_realloc(void *pointer, size_t size)
{
    size_t old_bin = cache_bin_of(block_of(pointer));
    size_t bin = cache_bin_for(size);
    if (size == 0 || bin == 0 || old_bin > bin + 1)
        return NULL;
    if (bin <= old_bin) {
        tell_checker(pointer, size);
        return pointer;
    }
    void *moved = old_bin == 0 ? NULL : ma_malloc(size);
    if (moved != NULL) {
        tell_checker(pointer, payload_size(block_of(pointer))); // all of it is copied
        memcpy(moved, pointer, smaller(payload_size(block_of(pointer)), size));
        ma_free(pointer);
    }
    return moved;
}

void *ma_realloc(void *pointer, size_t size)
{
    if (pointer == NULL)
        return ma_malloc(size);
    void *payload = cache_realloc(pointer, size);
    return payload != NULL ? payload : ma_heap_realloc(&default_heap, pointer, size);
}

// A used block with an aligned payload, if there is one among those freed last: a program that asks
// for such blocks frees such blocks.
static inline struct block *cache_take_aligned(size_t bin, size_t alignment)
{
    if (cache != &no_cache && cache->loaded[bin].count == 0)
        cache_exchange(bin);
    struct magazine *loaded = &cache->loaded[bin];
    for (size_t i = loaded->count; i > 0 && i + ALIGNED_TRIES > loaded->count; i--) {
        struct block *block = loaded->blocks[i - 1];
        if ((uintptr_t)payload_of(block) % alignment == 0) {
            loaded->blocks[i - 1] = loaded->blocks[loaded->count - 1];
            loaded->blocks[loaded->count - 1] = block;
            return cache_take(bin);
        }
    }
    return NULL;
}

void *ma_aligned_alloc(size_t alignment, size_t size)
{
    bool power_of_2 = alignment != 0 && (alignment & (alignment - 1)) == 0;
    if (power_of_2 && alignment <= ALIGNMENT)
        return ma_malloc(size);
    struct block *block = power_of_2 ? cache_take_aligned(cache_bin_for(size), alignment) : NULL;
    return block != NULL ? hand_out(payload_of(block), size)
                         : ma_heap_aligned_alloc(&default_heap, alignment, size);
}

size_t ma_usable_size(const void *pointer)
{
    const struct block *block = block_of(pointer);
    if (!is_used(block))
        return ma_heap_usable_size(&default_heap, pointer);
    tell_checker(pointer, payload_size(block)); // the program may use all of it now
    return payload_size(block);
}

#endif
#endif
