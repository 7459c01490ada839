// A heap over sbrk: it begins with the first call and grows when it is exhausted.

#define _DEFAULT_SOURCE // for sbrk under -std=c11

#include "allocator.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef POOL_SIZE
#define POOL_SIZE 10485760 // bytes of the first pool, 10 MiB; -DPOOL_SIZE=... sets it
#endif

enum {
    GROW_MIN = 1 << 20, // bytes; the pool grows by no less
    OVERHEAD = 64, // bytes; more than a block needs beside its payload
};

// [heap]
static struct ma_heap *heap; // NULL before the first call
static char *heap_end; // first byte behind it
static int sbrk_calls;

// Moves the break up by size bytes and returns where it was; NULL if the system refuses.
static char *break_up(size_t size)
{
    void *old = sbrk((intptr_t)size);
    if (old == (void *)-1)
        return NULL;
    sbrk_calls++;
    return old;
}

static bool heap_begin(void)
{
    char *start = break_up(POOL_SIZE);
    if (start == NULL)
        return false;
    heap = ma_heap_init(start, POOL_SIZE);
    heap_end = start + POOL_SIZE;
    return heap != NULL;
}

// The break belongs to the whole process: if someone else moved it, the new memory is not the
// heap's neighbour and of no use to it.
static bool heap_grow(size_t size)
{
    if (size > PTRDIFF_MAX - OVERHEAD || sbrk(0) != heap_end)
        return false;
    size_t more = size + OVERHEAD < GROW_MIN ? GROW_MIN : size + OVERHEAD;
    if (break_up(more) == NULL || !ma_heap_extend(heap, more))
        return false;
    heap_end += more;
    return true;
}

static void *alloc(size_t size)
{
    if (heap == NULL && !heap_begin())
        return NULL;
    void *payload = ma_heap_malloc(heap, size);
    if (payload == NULL && errno == ENOMEM && heap_grow(size))
        payload = ma_heap_malloc(heap, size);
    return payload;
}

static void dealloc(void *payload)
{
    if (payload != NULL)
        ma_heap_free(heap, payload);
}
// [heap]

static void show(const char *what)
{
    size_t size = heap == NULL ? 0 : ma_heap_stats(heap).region_bytes;
    printf("%-24s %5zu KiB, sbrk calls: %d\n", what, size / 1024, sbrk_calls);
}

int main(void)
{
    static char buffer[BUFSIZ]; // else stdout would get one from malloc, which moves the break too
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    char *blocks[16];

    show("before the first call:");
    assert(heap == NULL);
    for (size_t i = 0; i < 16; i++) {
        blocks[i] = alloc(1 << 20);
        assert(blocks[i] != NULL);
        memset(blocks[i], (int)i, 1 << 20);
        if (i == 0 || i == 8)
            show(i == 0 ? "after 1 block of 1 MiB:" : "after 9:");
    }
    show("after 16:");
    for (size_t i = 0; i < 16; i++)
        assert(blocks[i][0] == (char)i && blocks[i][(1 << 20) - 1] == (char)i);
    assert(ma_heap_check(heap) == NULL);
    assert(alloc(PTRDIFF_MAX) == NULL && errno == ENOMEM);
    for (size_t i = 0; i < 16; i++)
        dealloc(blocks[i]);
    dealloc(NULL);
    assert(ma_heap_check(heap) == NULL);
    return 0;
}
