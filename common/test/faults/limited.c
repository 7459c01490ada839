// Memory of limited size: a heap of ma_heap_init that is too small at every point of some work, and
// then is given more; and the limits of the process, RLIMIT_AS and RLIMIT_DATA, that come down and go
// up again in mid-run.
//
// usage: limited STAGE [under-a-limit [no-hints]]
// The latter are told that ulimit -v is in force already, and that the system ignores hints.

#include "allocator.h"
#include "faults.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MEMORY = 1 << 22, SLOTS = 40, STEPS = 400, MIB = 1 << 20, MANY = 4000 };

struct slot {
    void *block;
    size_t size;
};

static int stage;
static _Alignas(16) char memory[MEMORY];
static struct slot slots[SLOTS];
static int refusals;

// --- a heap in memory that is given to it bit by bit ------------------------------------------------

static void expect_all_intact(const char *what)
{
    bool intact = true;
    for (unsigned i = 0; i < SLOTS; i++)
        intact = intact && (slots[i].block == NULL || is_marked(slots[i].block, slots[i].size, i));
    expect(intact, what);
}

static void *ask(struct ma_heap *heap, const struct slot *slot, size_t size, size_t kind)
{
    if (kind == 0)
        return ma_heap_aligned_alloc(heap, 256, size);
    if (kind == 1)
        return ma_heap_calloc(heap, 1, size);
    return slot->block == NULL ? ma_heap_malloc(heap, size)
                               : ma_heap_realloc(heap, slot->block, size);
}

static bool same_stats(struct ma_heap *heap, const struct ma_stats *before)
{
    struct ma_stats after = ma_heap_stats(heap);
    return memcmp(&after, before, sizeof after) == 0;
}

// As ask, with as much more memory as it takes.
static void *insist(struct ma_heap *heap, const struct slot *slot, size_t size, size_t kind)
{
    for (;;) {
        struct ma_stats before = ma_heap_stats(heap);
        errno = 0;
        void *block = ask(heap, slot, size, kind);
        if (block != NULL)
            return block;
        refusals++;
        expect(errno == ENOMEM, "a heap that is full says ENOMEM");
        expect(same_stats(heap, &before), "a refused request changes nothing");
        expect(ma_heap_check(heap) == NULL, "a full heap passes its check");
        expect_all_intact("a refused request leaves all blocks as they were");
        if (before.region_bytes + 512 > MEMORY || !ma_heap_extend(heap, 512))
            return NULL;
    }
}

static void step(struct ma_heap *heap, uint64_t *random)
{
    size_t i = random_below(random, SLOTS);
    size_t size = random_below(random, 3000) + 1;
    size_t kind = random_below(random, 4);
    if (slots[i].block != NULL && kind < 2) {
        ma_heap_free(heap, slots[i].block);
        slots[i].block = NULL;
    }
    slots[i].block = insist(heap, &slots[i], size, kind);
    expect(slots[i].block != NULL, "with more memory the request succeeds");
    slots[i].size = slots[i].block == NULL ? 0 : size;
    mark(slots[i].block, slots[i].size, (unsigned)i);
}

static void work_in(size_t first_size)
{
    uint64_t random = 1;
    struct ma_heap *heap = ma_heap_init(memory, first_size);
    for (int i = 0; i < STEPS; i++)
        step(heap, &random);
    expect_all_intact("contents are kept to the end");
    for (int i = 0; i < SLOTS; i++) {
        ma_heap_free(heap, slots[i].block);
        slots[i].block = NULL;
    }
    expect(ma_heap_check(heap) == NULL, "the heap passes its check in the end");
    expect(stage == 1 || ma_heap_stats(heap).live_blocks == 0, "no block is left");
    if (stage > 1) // stage 1 would tell of blocks that it cannot free
        (void)ma_heap_destroy(heap);
}

// --- the limit of the process -------------------------------------------------------------------------

static void *blocks[MANY];

static int take_all(size_t size)
{
    int taken = 0;
    errno = 0;
    while (taken < MANY && (blocks[taken] = ma_malloc(size)) != NULL) {
        mark(blocks[taken], size, (unsigned)taken);
        taken++;
    }
    expect(taken < MANY && errno == ENOMEM, "at the limit malloc says ENOMEM");
    expect(ma_heap_check(ma_default_heap()) == NULL, "at the limit the heap passes its check");
    return taken;
}

static void give_all(int taken, size_t size)
{
    bool intact = true;
    for (int i = 0; i < taken; i++) {
        intact = intact && is_marked(blocks[i], size, (unsigned)i);
        ma_free(blocks[i]);
    }
    expect(intact, "blocks keep their contents at the limit");
    expect(ma_heap_check(ma_default_heap()) == NULL, "the heap passes its check after the limit");
}

static void *end_at_once(void *unused)
{
    return unused;
}

static bool thread_can_run(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, end_at_once, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

// Three times all there is; what was freed can be had again. From stage 4 on the end of the region
// goes back: there is room for the stack of a thread. Where hints are ignored, a heap has several
// regions: it gives back the pages of all, the addresses of the last.
static void meet_a_limit(bool one_region)
{
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    int first = take_all(100000);
    expect(stage == 1 || (rlim_t)first * 100000 > limit.rlim_cur / 10 * 7,
           "a heap can have most of what the limit leaves");
    give_all(first, 100000);
    for (int round = 0; round < 2 && stage > 1; round++) {
        int again = take_all(100000);
        expect(again >= first, "as many blocks as the first time");
        give_all(again, 100000);
    }
    expect(stage < 4 || !one_region || thread_can_run(),
           "a thread can be started after the limit was met");
}

static void meet_a_limit_that_moves(int resource)
{
    struct rlimit limit;
    ma_free(ma_malloc(100000)); // the first region is there
    getrlimit(resource, &limit);
    struct rlimit low = {1, limit.rlim_max}; // no call for more memory succeeds
    for (int round = 0; round < 4; round++) {
        setrlimit(resource, &low);
        int taken = take_all(100000);
        setrlimit(resource, &limit);
        void *more = ma_malloc((size_t)16 * MIB);
        expect(stage == 1 || more != NULL, "above the limit malloc goes on");
        ma_free(more);
        give_all(taken, 100000);
        if (stage == 1)
            break; // which has handed out all it has
    }
}

static int limit_addresses(void)
{
    meet_a_limit_that_moves(RLIMIT_AS);
    return all_hold() ? 0 : 1;
}

static int limit_data(void)
{
    meet_a_limit_that_moves(RLIMIT_DATA);
    return all_hold() ? 0 : 1;
}

// No region exceeds MA_HEAP_MAX, so no block does. Just below, it is for the system to say.
static int meet_the_largest_region(void)
{
    struct ma_heap *heap = ma_heap_create((size_t)16 * MIB);
    void *block = ma_heap_malloc(heap, 100000);
    mark(block, 100000, 1);
    struct ma_stats before = ma_heap_stats(heap);
    for (size_t size = MA_HEAP_MAX - 4000; size <= MA_HEAP_MAX; size += 4000) {
        errno = 0;
        expect(ma_heap_malloc(heap, size) == NULL && errno == ENOMEM, "no region holds it: ENOMEM");
        expect(same_stats(heap, &before), "the heap is as it was");
    }
    size_t most = MA_HEAP_MAX - 8192;
    errno = 0;
    void *large = ma_heap_malloc(heap, most);
    expect(large != NULL ? ma_heap_stats(heap).live_blocks == 2 || stage == 1
                         : errno == ENOMEM && same_stats(heap, &before),
           "the largest block is given, or nothing has changed");
    if (large != NULL) {
        mark(large, most, 2);
        expect(is_marked(large, most, 2), "all of the largest block can be used");
        ma_heap_free(heap, large);
    }
    expect(is_marked(block, 100000, 1) && ma_heap_check(heap) == NULL, "the heap is sound");
    return all_hold() ? 0 : 1;
}

// Nobody reads the warning that blocks are left.
static int warn_with_standard_error_closed(void)
{
    struct ma_heap *heap = ma_heap_create((size_t)16 * MIB);
    for (int i = 0; i < 2; i++)
        expect(ma_heap_malloc(heap, 1) != NULL, "there is a block");
    close(STDERR_FILENO);
    expect(ma_heap_destroy(heap) == (stage == 1 ? 1 : 2), "their number is returned all the same");
    return all_hold() ? 0 : 1;
}

int main(int count, char **arguments)
{
    stage = stage_from(count, arguments);
    if (count >= 3) {
        meet_a_limit(count == 3);
        return report("under ulimit -v");
    }
    for (size_t size = MA_HEAP_MIN; size < MA_HEAP_MIN + (size_t)64 * 1024; size += 1040)
        work_in(size);
    expect(refusals > 1000, "heaps were too small again and again");
    expect(child_succeeds(limit_addresses), "RLIMIT_AS comes down and goes up");
    expect(child_succeeds(limit_data), "RLIMIT_DATA comes down and goes up");
    expect(child_succeeds(meet_the_largest_region), "no region exceeds MA_HEAP_MAX");
    expect(child_succeeds(warn_with_standard_error_closed), "a warning that cannot be written");
    return report("");
}
