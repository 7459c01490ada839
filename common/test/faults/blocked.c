// The addresses that follow a region belong to somebody else: a page is put right behind it, again
// and again, or hints are ignored. The heap goes on elsewhere. And it holds more than one region can.
//
// usage: blocked STAGE [no-hints]     the latter is told that the system ignores hints

#define _GNU_SOURCE // for mincore and MAP_ANONYMOUS under -std=c11

#include "allocator.h"
#include "faults.h"

#include <sys/mman.h>
#include <unistd.h>

enum { MIB = 1 << 20, BLOCKS_MAX = 600000, WALLS = 3, HUGE_BLOCKS = 12 };

// Blocks of one size.
struct load {
    size_t size;
    size_t count;
};

static const struct load large = {MIB, 200};
static const struct load small = {100, BLOCKS_MAX};
static const struct load huge = {(size_t)8 << 30, HUGE_BLOCKS}; // on 64-bit systems

static int stage;
static bool hints_heeded; // the system heeds them
static void *blocks[BLOCKS_MAX];
static size_t page;

// --- walls ---------------------------------------------------------------------------------------

static void *map(void *hint, size_t size, int protection)
{
    return mmap(hint, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool is_mapped(const char *address)
{
    unsigned char in_memory[1];
    const char *start = address - (uintptr_t)address % page;
    return mincore((void *)(uintptr_t)start, page, in_memory) == 0;
}

// Takes the first page that is free after a block: the one right behind its region.
static void block_the_way(char *block)
{
    char *end = block + page - (uintptr_t)block % page;
    while (is_mapped(end))
        end += page;
    expect(map(end, page, PROT_NONE) == end, "a foreign page lies in the way");
}

static bool hints_are_heeded(void)
{
    char *pages = map(NULL, 3 * page, PROT_NONE);
    munmap(pages, 3 * page);
    char *middle = map(pages + page, page, PROT_NONE); // nobody's own choice
    munmap(middle, page);
    return middle == pages + page;
}

// --- the work ------------------------------------------------------------------------------------

static void *take(struct ma_heap *heap, size_t size)
{
    return heap == ma_default_heap() ? ma_malloc(size) : ma_heap_malloc(heap, size);
}

static void give(struct ma_heap *heap, void *block)
{
    if (heap == ma_default_heap())
        ma_free(block);
    else
        ma_heap_free(heap, block);
}

static void *lengthen(struct ma_heap *heap, void *block, size_t size)
{
    return heap == ma_default_heap() ? ma_realloc(block, size) : ma_heap_realloc(heap, block, size);
}

struct walk {
    size_t used;
    size_t regions;
    const char *end; // of the block before
};

static bool count_block(const struct ma_block *block, void *context)
{
    struct walk *walk = context;
    walk->used += block->state == MA_BLOCK_USED;
    walk->regions += block->address != walk->end;
    walk->end = (const char *)block->address + block->size;
    return true;
}

static void expect_sound(struct ma_heap *heap, size_t live)
{
    struct walk walk = {.used = 0};
    struct ma_stats stats = ma_heap_stats(heap);
    expect(ma_heap_check(heap) == NULL, "the heap passes its check");
    expect(ma_heap_walk(heap, count_block, &walk) && walk.used == live,
           "the walk shows all blocks");
    expect(walk.regions <= 20, "each region is larger than the one before: there are not many");
    expect(stats.live_blocks == live, "the statistics count all blocks");
    expect(stats.region_bytes == stats.live_bytes + stats.free_bytes + stats.cached_bytes +
                                     stats.header_bytes + stats.padding_bytes + stats.top_bytes,
           "all bytes are accounted for");
}

static bool fill(struct ma_heap *heap, const struct load *load)
{
    for (size_t i = 0; i < load->count; i++) {
        blocks[i] = take(heap, load->size);
        if (blocks[i] == NULL)
            return false;
        mark(blocks[i], load->size, (unsigned)i);
        if (hints_heeded && load != &huge && i % (load->count / WALLS) == 0)
            block_the_way(blocks[i]);
    }
    return true;
}

static void free_all(struct ma_heap *heap, const struct load *load)
{
    bool intact = true;
    for (size_t first = 0; first < 2; first++)
        for (size_t i = first; i < load->count; i += 2) {
            intact = intact && is_marked(blocks[i], load->size, (unsigned)i);
            give(heap, blocks[i]);
        }
    expect(intact, "blocks keep their contents");
    expect_sound(heap, 0);
}

// Fills a heap, and adds a block of 64 MiB. Returns how large the heap was.
static size_t work(struct ma_heap *heap, const struct load *load)
{
    bool all = fill(heap, load);
    expect(all, "the heap goes on where there is room");
    if (!all)
        return 0;
    void *added = take(heap, 64 * (size_t)MIB);
    expect(added != NULL, "a block of 64 MiB finds room");
    size_t last = load->count - 1;
    blocks[last] = lengthen(heap, blocks[last], 2 * load->size);
    expect(is_marked(blocks[last], load->size, (unsigned)last), "the last block grows");
    expect_sound(heap, load->count + 1);
    struct ma_stats stats = ma_heap_stats(heap);
    expect(stats.region_bytes < stats.live_bytes / 2 * 5, "what lies before a wall is used");
    give(heap, added);
    free_all(heap, load);
    return stats.region_bytes;
}

// From stage 4 on, what was freed serves all that comes.
static void work_twice(struct ma_heap *heap, const struct load *load)
{
    size_t first = work(heap, load);
    if (stage >= 4 && first != 0)
        expect(work(heap, load) <= first + first / 4, "what was freed is used again");
}

static int fill_default_heap(const struct load *load)
{
    work_twice(ma_default_heap(), load);
    return all_hold() ? 0 : 1;
}

static int fill_own_heap(const struct load *load)
{
    struct ma_heap *heap = ma_heap_create(MA_HEAP_MIN);
    work_twice(heap, load);
    if (!all_hold())
        return 1;
    expect(ma_heap_destroy(heap) == 0, "no block is left");
    bool mapped = false;
    for (size_t i = 0; i < load->count; i++)
        mapped = mapped || is_mapped(blocks[i]);
    expect(!mapped, "a heap that ends gives all its memory back");
    return all_hold() ? 0 : 1;
}

static int large_blocks_in_default_heap(void)
{
    return fill_default_heap(&large);
}

static int small_blocks_in_default_heap(void)
{
    return fill_default_heap(&small);
}

static int large_blocks_in_own_heap(void)
{
    return fill_own_heap(&large);
}

static int small_blocks_in_own_heap(void)
{
    return fill_own_heap(&small);
}

// --- more than a region can hold -----------------------------------------------------------------

static bool system_gives(const struct load *load)
{
    void *memory[HUGE_BLOCKS];
    size_t given = 0;
    for (; given < load->count; given++) {
        memory[given] = map(NULL, load->size + MIB, PROT_READ | PROT_WRITE);
        if (memory[given] == MAP_FAILED)
            break;
    }
    for (size_t i = 0; i < given; i++)
        munmap(memory[i], load->size + MIB);
    return given == load->count;
}

// 96 GiB, of which next to nothing is touched.
static int hold_more_than_a_region(void)
{
    bool all = fill(ma_default_heap(), &huge);
    expect(all, "twelve blocks of 8 GiB");
    if (!all)
        return 1;
    expect_sound(ma_default_heap(), huge.count);
    free_all(ma_default_heap(), &huge);
    void *again = ma_malloc(huge.size);
    expect(again != NULL, "another block of 8 GiB when they are freed");
    ma_free(again);
    return all_hold() ? 0 : 1;
}

int main(int count, char **arguments)
{
    stage = stage_from(count, arguments);
    page = (size_t)sysconf(_SC_PAGESIZE);
    hints_heeded = hints_are_heeded();
    expect(hints_heeded == (count < 3), "the system heeds hints, or not, as it was said");
    expect(child_succeeds(large_blocks_in_default_heap), "blocks of 1 MiB in the default heap");
    expect(child_succeeds(large_blocks_in_own_heap), "blocks of 1 MiB in a heap of one's own");
    expect(child_succeeds(small_blocks_in_default_heap), "small blocks in the default heap");
    expect(child_succeeds(small_blocks_in_own_heap), "small blocks in a heap of one's own");
    if (sizeof(size_t) < 8 || !system_gives(&huge))
        return report("the system does not give 96 GiB of addresses");
    expect(child_succeeds(hold_more_than_a_region), "96 GiB, untouched, in the default heap");
    return report("");
}
