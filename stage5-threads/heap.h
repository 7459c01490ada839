// heap.h: what a heap is, and the arithmetic of sizes
//
// A heap is a region of memory, and a pointer into it:
//
//     start    base                          top                             limit
//     v        v                             v                               v
//     +--------+---------+---------+---------+-------------------------------+
//     |  heap  |  block  |  block  |  block  |  not handed out               |
//     +--------+---------+---------+---------+-------------------------------+
//
// A heap of your own keeps its struct ma_heap at the start of its region. The default heap, which
// ma_malloc and the others use, keeps it outside.

#ifndef MA_HEAP_H
#define MA_HEAP_H

#define _DEFAULT_SOURCE // for MAP_ANONYMOUS under -std=c11

#include "allocator.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum {
    ALIGNMENT = 16, // bytes; the address of every payload is a multiple
    HEADER_SIZE = 8, // bytes before every payload
    MIN_BLOCK = 32, // bytes of the smallest block: a header and what a free block keeps
    SMALL_BINS = 64, // bins of one size each, below 1 KiB
    BINS_PER_DOUBLING = 32, // above, bins as wide as 1/32 of 1, 2, 4, ... KiB
    BIN_COUNT = SMALL_BINS + 26 * BINS_PER_DOUBLING, // up to 64 GiB
    IDLE_MIN = 1 << 24, // bytes of idle memory that a heap may keep, at first
    PURGE_MIN = 1 << 16, // bytes of a free block whose pages may go back
    GROW_MIN = 1 << 20, // bytes; a region grows by no less, if it can
};

static const size_t max_payload = MA_HEAP_MAX - 4096; // bytes; rounded up, still below MA_HEAP_MAX

static_assert(MA_HEAP_SIZE <= MA_HEAP_MAX - 65536, "rounded up to pages, it is still a region");
static_assert(ALIGNMENT % _Alignof(max_align_t) == 0, "a payload can hold any C object");

// A region that the heap has left, because it could not grow: noted at the start of the next one.
struct region {
    uintptr_t start, base, top, limit; // as those of a heap
    struct region *older; // the region before, or NULL
};

struct ma_heap {
    uintptr_t start; // first byte of the region
    _Atomic uintptr_t base; // first byte of the first block; read without the mutex
    uintptr_t top; // first byte after the last block
    _Atomic uintptr_t limit; // first byte after the region; read without the mutex
    struct region *_Atomic older; // the region before, or NULL; read without the mutex
    uintptr_t touched; // highest top so far: a region that the heap owns is zero from here on
    size_t free_bytes; // of all free blocks
    size_t purged; // of these, bytes that have no pages: they went back, or were never used
    size_t regretted; // bytes that went back and were needed again
    size_t trimmed; // bytes above the limit that went back
    size_t idle_max; // bytes that were used and are not: more of them go back
    size_t flush_below; // bytes in use, below which all caches should go back
    _Atomic size_t flushes; // how often that was; read without the mutex
    pthread_mutex_t mutex; // held during every operation
    struct ma_heap *next_heap; // in all_heaps
    struct ma_heap *prev_heap;
    bool owns_region; // the region is not the caller's
    uint32_t number; // no other heap has it; headers are mixed with it
    struct block *bins[BIN_COUNT]; // of each size class the block freed last, or NULL
    uint64_t bitmap[BIN_COUNT / 64]; // bit i % 64 of word i / 64: bins[i] holds a block
    const char *problem; // the misuse that the running call found, or NULL
    const void *problem_at; // the pointer it is about
};

static_assert(sizeof(struct ma_heap) + 256 <= MA_HEAP_MIN, "the smallest heap holds some blocks");

static struct ma_heap default_heap = {.owns_region = true, .mutex = PTHREAD_MUTEX_INITIALIZER};

static inline bool is_default(const struct ma_heap *heap)
{
    return heap == &default_heap;
}

// The one place where an address becomes a pointer.
static inline void *pointer_to(uintptr_t address)
{
    return (void *)address;
}

// What a function returns that cannot do what it was asked for.
static inline void *refuse(int error)
{
    errno = error;
    return NULL;
}

// multiple is a power of two.
static inline size_t round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) & ~(multiple - 1);
}

static inline size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

// Bytes of the block that holds a payload of size bytes; even the empty payload has an address.
static inline size_t block_size_for(size_t size)
{
    return larger(MIN_BLOCK, round_up(HEADER_SIZE + size, ALIGNMENT));
}

// Where a block can begin, at address or after, so that its payload is aligned.
static inline uintptr_t first_block(uintptr_t address)
{
    return round_up(address + HEADER_SIZE, ALIGNMENT) - HEADER_SIZE;
}

#endif
