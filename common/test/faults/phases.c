// Memory moves between sizes: phase after phase a program asks for blocks of another size, as many
// bytes in all as before, and frees them all. From stage 4 on free neighbours become one block, and
// the heap stays as large as one phase needs. Before, no block serves a larger request: the heap
// keeps what each size took.
//
// usage: phases STAGE

#include "allocator.h"
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1 << 20, BLOCKS_MAX = 400000, ROUNDS = 4 };

static const size_t sizes[] = {100, 1000, 10000, 100000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void *blocks[BLOCKS_MAX];

static void *take(struct ma_heap *heap, size_t size)
{
    return heap == NULL ? ma_malloc(size) : ma_heap_malloc(heap, size);
}

static void give(struct ma_heap *heap, void *block)
{
    if (heap == NULL)
        ma_free(block);
    else
        ma_heap_free(heap, block);
}

// Fisher and Yates.
static void shuffle(size_t count, uint64_t *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(random, i);
        void *block = blocks[i - 1];
        blocks[i - 1] = blocks[other];
        blocks[other] = block;
    }
}

// All blocks of one size come, and go in any order. Returns how large the heap was.
static size_t phase(struct ma_heap *heap, size_t size, size_t bytes)
{
    static uint64_t random = 1;
    size_t count = bytes / size;
    bool all = true;
    for (size_t i = 0; i < count; i++)
        all = (blocks[i] = take(heap, size)) != NULL && all;
    expect(all, "every block is given");
    struct ma_stats stats = ma_heap_stats(heap == NULL ? ma_default_heap() : heap);
    shuffle(count, &random);
    for (size_t i = 0; i < count; i++)
        give(heap, blocks[i]);
    return stats.region_bytes - stats.top_bytes;
}

// The heap's size in the last phase, as a multiple of the largest among the first `SIZES` phases that
// each have a heap of their own: 1 if nothing grows.
static double growth(struct ma_heap *heap, size_t bytes, int rounds)
{
    size_t one = 0;
    for (size_t i = 0; i < SIZES; i++) {
        struct ma_heap *alone = ma_heap_create((size_t)32 * MIB);
        size_t size = phase(alone, sizes[i], bytes);
        one = size > one ? size : one;
        if (ma_heap_stats(alone).live_blocks == 0) // stage 1 keeps them
            (void)ma_heap_destroy(alone);
    }
    size_t last = 0;
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < SIZES; i++) {
            size_t size = phase(heap, sizes[i], bytes);
            last = size > last ? size : last;
        }
    expect(ma_heap_check(heap == NULL ? ma_default_heap() : heap) == NULL, "the heap is sound");
    return (double)last / (double)one;
}

int main(int count, char **arguments)
{
    int stage = stage_from(count, arguments);
    bool grows = stage < 4;
    char remark[100];
    struct ma_heap *heap = ma_heap_create((size_t)64 * MIB);
    double own = growth(heap, 4 * (size_t)MIB, grows ? 1 : ROUNDS);
    if (grows) {
        expect(own > 3.5, "each of four sizes takes memory of its own");
    } else {
        expect(own < 1.1, "a heap of one's own does not grow from phase to phase");
        double shared = growth(NULL, 30 * (size_t)MIB, ROUNDS);
        expect(shared < 1.1, "nor does the default heap");
    }
    (void)snprintf(remark, sizeof remark, "%d phases need %.1f times the memory of one",
                   grows ? SIZES : SIZES * ROUNDS, own);
    return report(remark);
}
