// Internal and external fragmentation of one sequence of requests, in numbers.

#include "allocator.h"

#include <assert.h>
#include <stdio.h>

enum { BLOCKS = 1000 };

static _Alignas(max_align_t) unsigned char memory[512 * 1024];
static void *large[BLOCKS];
static void *small[BLOCKS];

static void show(struct ma_heap *heap, const char *step)
{
    struct ma_stats stats = ma_heap_stats(heap);
    size_t used = stats.region_bytes - stats.top_bytes - stats.padding_bytes;
    double external = stats.free_bytes == 0
                          ? 0
                          : 100 * (1 - (double)stats.largest_free / (double)stats.free_bytes);
    printf("%-28s %7zu %7zu %7zu %7zu %8zu %7.1f%%\n", step, used, stats.live_bytes,
           stats.header_bytes, stats.free_bytes, stats.largest_free, external);
    assert(ma_heap_check(heap) == NULL);
}

// [steps]
int main(void)
{
    struct ma_heap *heap = ma_heap_init(memory, sizeof memory);
    printf("%-28s %7s %7s %7s %7s %8s %8s\n", "", "in use", "live", "headers", "free", "largest",
           "external");
    for (size_t i = 0; i < BLOCKS; i++)
        large[i] = ma_heap_malloc(heap, 180);
    show(heap, "1000 blocks of 180 bytes");
    for (size_t i = 0; i < BLOCKS; i += 2)
        ma_heap_free(heap, large[i]);
    show(heap, "every second one freed");
    for (size_t i = 0; i < BLOCKS; i++)
        small[i] = ma_heap_malloc(heap, 50);
    show(heap, "1000 blocks of 50 bytes");
    for (size_t i = 0; i < BLOCKS; i++)
        ma_heap_free(heap, small[i]);
    for (size_t i = 1; i < BLOCKS; i += 2)
        ma_heap_free(heap, large[i]);
    show(heap, "all freed");
    assert(ma_heap_malloc(heap, 100000) != NULL);
    show(heap, "one block of 100000 bytes");
    return 0;
}
// [steps]
