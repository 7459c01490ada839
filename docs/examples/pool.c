// A pool: a heap in a static array, its statistics, and a map of its blocks and gaps.

#include "allocator.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

static _Alignas(max_align_t) unsigned char memory[64 * 1024];

// [map]
struct map {
    uintptr_t base; // of the first block; 0 before it
    size_t blocks;
};

// One line for each block: where it lies behind the first, its bytes, and one sign for each 64.
static bool draw(const struct ma_block *block, void *context)
{
    struct map *map = context;
    uintptr_t address = (uintptr_t)block->address;
    bool used = block->state == MA_BLOCK_USED;
    if (map->blocks++ == 0)
        map->base = address;
    printf("  +0x%04jx %5zu %s ", (uintmax_t)(address - map->base), block->size,
           used ? "used" : "gap ");
    for (size_t i = 0; i < block->size / 64; i++)
        putchar(used ? '#' : '.');
    putchar('\n');
    return true;
}
// [map]

static void show(struct ma_heap *pool, const char *when)
{
    struct ma_stats stats = ma_heap_stats(pool);
    struct map map = {0};
    printf("%s: of %zu bytes %zu in %zu live blocks, %zu in gaps\n", when, stats.region_bytes,
           stats.live_bytes, stats.live_blocks, stats.free_bytes);
    ma_heap_walk(pool, draw, &map);
    assert(map.blocks == stats.live_blocks + stats.free_blocks);
    assert(stats.region_bytes == sizeof memory);
}

int main(void)
{
    struct ma_heap *pool = ma_heap_init(memory, sizeof memory);
    assert(pool != NULL);
    void *blocks[5];
    for (size_t i = 0; i < 5; i++)
        blocks[i] = ma_heap_malloc(pool, 200 * (i + 1));
    show(pool, "five blocks");
    ma_heap_free(pool, blocks[1]);
    ma_heap_free(pool, blocks[2]);
    show(pool, "two freed");
    blocks[1] = ma_heap_malloc(pool, 100);
    show(pool, "100 bytes more");
    assert(ma_heap_check(pool) == NULL);

    fflush(stdout); // ma_heap_destroy warns on standard error
    assert(ma_heap_destroy(pool) != 0);
    assert(ma_heap_create(100) == NULL && errno == EINVAL);
    printf("a pool of 100 bytes is refused: the smallest has %d\n", MA_HEAP_MIN);
    return 0;
}
