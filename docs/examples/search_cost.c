// What a search costs beside more and more free blocks, as a ratio to the cost beside ten. All of
// them are too small for the request, so a search that walks them walks them all, as best fit
// over a single list always does.

#include "allocator.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

static double seconds(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Leaves count free blocks, each between two used ones, so that no stage can merge them.
static void scatter(struct ma_heap *heap, size_t count)
{
    static void *blocks[100000];
    for (size_t i = 0; i < count; i++) {
        blocks[i] = ma_heap_malloc(heap, 100 + i % 10 * 16);
        void *between = ma_heap_malloc(heap, 16);
        assert(blocks[i] != NULL && between != NULL);
    }
    for (size_t i = 0; i < count; i++)
        ma_heap_free(heap, blocks[i]);
}

// Seconds for one request, the least of several tries: others use the machine, too.
static double cost_beside(size_t free_blocks)
{
    enum { TRIES = 5, REQUESTS = 20 };
    struct ma_heap *heap = ma_heap_create(64 * 1024 * 1024);
    assert(heap != NULL);
    scatter(heap, free_blocks);
    double least = 1;
    for (int i = 0; i < TRIES; i++) {
        double begin = seconds();
        for (int request = 0; request < REQUESTS; request++) {
            void *block = ma_heap_malloc(heap, 1000);
            assert(block != NULL);
        }
        double cost = (seconds() - begin) / REQUESTS;
        least = cost < least ? cost : least;
    }
    return least;
}

int main(void)
{
    double few = cost_beside(10);
    assert(few > 0);
    for (size_t count = 10; count <= 100000; count *= 100)
        printf("%6zu free blocks: %8.0f\n", count, cost_beside(count) / few);
    return 0;
}
