// Regions that grow (stage 2) and shrink (stage 4), within what the system allows.

#include "suite.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

START_TEST(grows_past_the_first_region)
{
    struct ma_heap *heap = ma_heap_create(65536);
    size_t first_region = ma_heap_stats(heap).region_bytes;
    for (unsigned i = 0; i < 1000; i++)
        fill(take(heap, 10000), 10000, i);
    struct ma_stats stats = ma_heap_stats(heap);
    ck_assert_uint_gt(stats.region_bytes, first_region);
    ck_assert_uint_ge(stats.live_bytes, 1000 * 10000);
    expect_sound(heap);
}
END_TEST

START_TEST(default_heap_grows)
{
    ck_assert_ptr_nonnull(ma_malloc(1));
    struct ma_heap *heap = ma_default_heap();
    size_t first_region = ma_heap_stats(heap).region_bytes;
    char *large = ma_malloc(first_region);
    ck_assert_ptr_nonnull(large);
    large[0] = large[first_region - 1] = 1;
    ck_assert_uint_gt(ma_heap_stats(heap).region_bytes, first_region);
    expect_sound(heap);
    ma_free(large);
    expect_sound(heap);
}
END_TEST

START_TEST(one_request_larger_than_the_region)
{
    struct ma_heap *heap = ma_heap_create(MA_HEAP_MIN);
    ck_assert_ptr_nonnull(heap);
    for (int i = 0; i < 2; i++) { // and a second one, after the first growth
        char *large = take(heap, 64 * MIB + 100);
        large[0] = large[64 * MIB + 99] = 1;
        ck_assert_uint_eq(ma_heap_stats(heap).region_bytes % (size_t)sysconf(_SC_PAGESIZE), 0);
        expect_sound(heap);
    }
}
END_TEST

// By 1 MiB at a time up to 8 MiB, then by an eighth of what there is: the system is asked 30 times.
START_TEST(growth_takes_few_steps)
{
    struct ma_heap *heap = ma_heap_create(65536);
    size_t region = 0;
    int steps = 0;
    while (region < 64 * (size_t)MIB) {
        take(heap, 100000);
        steps += ma_heap_stats(heap).region_bytes != region;
        region = ma_heap_stats(heap).region_bytes;
    }
    ck_assert_int_le(steps, 40);
}
END_TEST

START_TEST(heap_in_given_memory_does_not_grow)
{
    struct ma_heap *heap = make_heap(65536);
    ck_assert_ptr_null(ma_heap_malloc(heap, 65536));
    exhaust(heap);
    ck_assert_uint_eq(ma_heap_stats(heap).region_bytes, 65536);
}
END_TEST

// --- the limit of the process --------------------------------------------------------------------

// The process may map this many more bytes and no others.
static bool limit_memory(size_t more)
{
    rlim_t bytes = mapped_bytes() + more;
    const struct rlimit limit = {bytes, bytes};
    return bytes > more && setrlimit(RLIMIT_AS, &limit) == 0;
}

static int meet_the_limit(void *unused)
{
    (void)unused;
    void *blocks[64];
    int count = 0;
    if (!limit_memory(32 * (size_t)MIB))
        return 1;
    while (count < 64 && (blocks[count] = ma_malloc(MIB)) != NULL)
        count++;
    if (count == 0 || count == 64 || errno != ENOMEM)
        return 2;
    if (ma_heap_check(ma_default_heap()) != NULL)
        return 3;
    for (int i = 0; i < count; i++)
        ma_free(blocks[i]);
    return ma_heap_check(ma_default_heap()) == NULL ? 0 : 4;
}

START_TEST(memory_limit_is_respected)
{
    struct outcome outcome = run_in_child(meet_the_limit, NULL);
    expect_exit_0(&outcome, "with RLIMIT_AS 32 MiB above what is in use");
}
END_TEST

static int grow_by_what_is_left(void *heap)
{
    if (!limit_memory(MIB / 2))
        return 1; // less than a heap's usual step
    void *block = ma_heap_malloc(heap, 200000);
    if (block == NULL || ma_heap_check(heap) != NULL)
        return 2;
    if (ma_heap_stats(heap).free_blocks != 0)
        return 3; // it went on in another region, though this one could grow
    return ma_heap_malloc(heap, MIB) == NULL && ma_heap_check(heap) == NULL ? 0 : 4;
}

static int create_beyond_the_limit(void *unused)
{
    (void)unused;
    if (!limit_memory(MIB))
        return 1;
    errno = 0;
    return ma_heap_create(16 * (size_t)MIB) == NULL && errno == ENOMEM ? 0 : 2;
}

START_TEST(heap_in_a_mapping_refused)
{
    struct outcome outcome = run_in_child(create_beyond_the_limit, NULL);
    expect_exit_0(&outcome, "ma_heap_create of 16 MiB, with RLIMIT_AS 1 MiB above what is in use");
}
END_TEST

START_TEST(grows_by_less_where_the_limit_is_near)
{
    struct ma_heap *heap = ma_heap_create(65536);
    struct outcome outcome = run_in_child(grow_by_what_is_left, heap);
    expect_exit_0(&outcome, "with RLIMIT_AS 512 KiB above what is in use");
}
END_TEST

// A page of somebody else lies where the region ends: from stage 2 on the heap goes on elsewhere.
START_TEST(goes_on_where_another_begins)
{
    struct ma_heap *heap = ma_heap_create(65536);
    void *block = take(heap, 1000);
    fill(block, 1000, 1);
    struct ma_stats before = ma_heap_stats(heap);
    block_the_way(block);
    size_t mapped = mapped_bytes();
    for (size_t size = 10000000; size >= 100000; size /= 10) {
        fill(take(heap, size), size, 2);
        expect_sound(heap);
    }
    struct ma_stats after = ma_heap_stats(heap);
    ck_assert_uint_eq(after.live_blocks, 4);
    ck_assert_uint_eq(after.free_blocks, 1); // what was left above the first
    // What the system maps elsewhere is used, or goes back. Valgrind maps a little for itself.
    ck_assert_uint_le(mapped_bytes() - mapped, after.region_bytes - before.region_bytes + 4 * MIB);
    ck_assert(is_filled(block, 1000, 1));
    ma_heap_free(heap, block);
    expect_sound(heap);
}
END_TEST

enum { REGIONS = 8 };

// The way is blocked behind each region, so that each is twice as large as the one before. Wherever
// they lie, blocks of the last but one come and go.
START_TEST(goes_on_again_and_again)
{
    static void *blocks[REGIONS];
    static size_t sizes[REGIONS];
    struct ma_heap *heap = ma_heap_create(65536);
    for (size_t i = 0; i < REGIONS; i++) {
        sizes[i] = i == 0 ? 1000 : ma_heap_stats(heap).top_bytes;
        fill(blocks[i] = take(heap, sizes[i]), sizes[i], 1);
        fill(take(heap, 1000), 1000, 1);
        block_the_way(blocks[i]);
        expect_sound(heap);
        if (i == 0)
            continue;
        ma_heap_free(heap, blocks[i - 1]);
        expect_sound(heap);
        blocks[i - 1] = ma_heap_calloc(heap, 1, sizes[i - 1]);
        ck_assert(blocks[i - 1] != NULL && is_zero(blocks[i - 1], sizes[i - 1]));
    }
    ck_assert_uint_ge(ma_heap_stats(heap).region_bytes, 65536 * ((1 << REGIONS) - 1));
    for (size_t i = 0; i < REGIONS; i++) {
        ma_heap_free(heap, blocks[i]);
        expect_sound(heap);
    }
}
END_TEST

// Wherever the three lie: _i changes that.
START_TEST(destroyed_regions_go_back)
{
    for (int i = 0; i < _i; i++)
        ma_heap_destroy(ma_heap_create(65536));
    size_t before = mapped_bytes();
    struct ma_heap *heap = ma_heap_create(MIB);
    void *pages[3];
    for (size_t i = 0; i < 3; i++) {
        void *block = take(heap, i == 0 ? 1000 : ma_heap_stats(heap).top_bytes);
        pages[i] = block_the_way(block);
        ma_heap_free(heap, block);
    }
    ck_assert_uint_gt(ma_heap_stats(heap).region_bytes, 7 * MIB - 1);
    ck_assert_uint_eq(ma_heap_destroy(heap), 0);
    for (size_t i = 0; i < 3; i++)
        munmap(pages[i], 1);
    ck_assert_uint_le(mapped_bytes(), before + MIB / 2); // valgrind maps a little for itself
}
END_TEST

// Of the region that the heap leaves, 8 to 72 bytes are not handed out: a header, and a rest that can
// be a block or not.
START_TEST(last_block_of_a_region)
{
    struct ma_heap *heap = ma_heap_create(65536);
    size_t left = 8 + 16 * (size_t)_i;
    size_t size = ma_heap_stats(heap).top_bytes - left - 8; // less its header
    void *last = take(heap, size);
    fill(last, size, 1);
    block_the_way(last);
    fill(take(heap, 200000), 200000, 2); // more than twice the region
    ck_assert_uint_eq(ma_heap_stats(heap).free_blocks, left < 8 + 32 ? 0 : 1);
    expect_sound(heap);
    ck_assert(is_filled(last, size, 1));
    ma_heap_free(heap, last);
    expect_sound(heap);
}
END_TEST

static int move_by_what_is_left(void *block)
{
    struct ma_heap *heap = *(void **)block;
    size_t before = ma_heap_stats(heap).region_bytes;
    block_the_way(block);
    if (!limit_memory(16 * MIB))
        return 1; // less than twice the region
    if (ma_heap_malloc(heap, 8 * MIB - 8) == NULL || ma_heap_check(heap) != NULL)
        return 2; // its block has whole pages
    if (ma_heap_stats(heap).region_bytes > before + 9 * MIB)
        return 3;
    return ma_heap_malloc(heap, 16 * MIB) == NULL && ma_heap_check(heap) == NULL ? 0 : 4;
}

START_TEST(goes_on_with_less_near_the_limit)
{
    struct ma_heap *heap = ma_heap_create(16 * (size_t)MIB);
    void **block = take(heap, 12 * MIB);
    *block = heap;
    struct outcome outcome = run_in_child(move_by_what_is_left, block);
    expect_exit_0(&outcome, "a region of 16 MiB that cannot grow, with RLIMIT_AS 16 MiB above");
}
END_TEST

static int begin_without_memory(void *unused)
{
    (void)unused;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0)
        return 1;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    errno = 0;
    if (setrlimit(RLIMIT_AS, &limit) != 0 || ma_malloc(10000) != NULL || errno != ENOMEM)
        return 2;
    limit.rlim_cur = before;
    if (setrlimit(RLIMIT_AS, &limit) != 0 || ma_malloc(10000) == NULL)
        return 3;
    return ma_heap_check(ma_default_heap()) == NULL ? 0 : 4;
}

START_TEST(first_region_refused)
{
    struct outcome outcome = run_in_child(begin_without_memory, NULL);
    expect_exit_0(&outcome, "the first malloc, with RLIMIT_AS 0");
}
END_TEST

// --- memory goes back ----------------------------------------------------------------------------

static bool system_refuses;
static atomic_int calls; // of the two functions below, by any thread
static void (*meanwhile)(void); // what happens while pages go back, once

// These two stand in the place of the C library's, for the allocator as well.
int munmap(void *address, size_t size)
{
    calls++;
    if (!system_refuses)
        return (int)syscall(SYS_munmap, address, size);
    errno = EPERM;
    return -1;
}

int madvise(void *address, size_t size, int advice)
{
    void (*now)(void) = meanwhile;
    if (now != NULL) {
        meanwhile = NULL;
        now();
    }
    calls++;
    if (!system_refuses)
        return (int)syscall(SYS_madvise, address, size, advice);
    errno = EPERM;
    return -1;
}

// The rule of stage 4: when more than idle_max bytes were used and are not, memory goes back: pages of
// large free blocks, and what lies above the top, but for an eighth of idle_max. It is 16 MiB at first;
// it rises by what went back and was needed again.

// Memory that was never used costs nothing: it may stay.
START_TEST(unused_memory_stays)
{
    struct ma_heap *heap = ma_heap_create(64 * (size_t)MIB);
    size_t region = ma_heap_stats(heap).region_bytes;
    for (size_t size = 1; size < MIB; size *= 2) {
        ma_heap_free(heap, take(heap, size));
        ck_assert_uint_eq(ma_heap_stats(heap).region_bytes, region);
    }
    expect_sound(heap);
}
END_TEST

static void expect_kept(struct ma_heap *heap, size_t keep)
{
    struct ma_stats stats = ma_heap_stats(heap);
    size_t least = stats.padding_bytes + keep;
    if (stats.region_bytes < least ||
        stats.region_bytes > least + 65536) // pages are 64 KiB at most
        ck_abort_msg("%zu bytes are kept instead of %zu", stats.top_bytes, keep);
    expect_sound(heap);
}

START_TEST(more_than_the_idle_limit_goes_back)
{
    struct ma_heap *heap = ma_heap_create(64 * (size_t)MIB);
    size_t region = ma_heap_stats(heap).region_bytes;
    ma_heap_free(heap, take(heap, 16 * MIB - 8)); // with its header, 16 MiB
    ck_assert_uint_eq(ma_heap_stats(heap).region_bytes, region);
    ma_heap_free(heap, take(heap, 16 * MIB + 8));
    expect_kept(heap, 2 * MIB);
    ma_heap_free(heap, take(heap, MIB)); // what is kept serves this, and stays
    expect_kept(heap, 2 * MIB);
}
END_TEST

// What went back is no longer memory that was used: it is zero, and does not count.
START_TEST(memory_that_went_back_is_forgotten)
{
    struct ma_heap *heap = ma_heap_create(65536);
    ma_heap_free(heap, memset(take(heap, 40 * MIB), 0xFF, 40 * MIB));
    expect_kept(heap, 2 * MIB);
    ma_heap_free(heap, memset(take(heap, 30 * MIB), 0xFF, 30 * MIB)); // 44 MiB may be idle now
    ck_assert_uint_ge(ma_heap_stats(heap).region_bytes, 30 * MIB);
    ma_heap_free(heap, memset(take(heap, 60 * MIB), 0xFF, 60 * MIB)); // and now 54
    ck_assert_uint_le(ma_heap_stats(heap).region_bytes, 8 * MIB);
    ck_assert(is_zero(ma_heap_calloc(heap, 1, 20 * MIB), 20 * MIB));
}
END_TEST

// What went back and was needed again, may stay the next time.
START_TEST(what_was_needed_again_stays)
{
    enum { COUNT = 80 };
    static void *blocks[COUNT];
    struct ma_heap *heap = ma_heap_create(65536);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++)
            blocks[i] = take(heap, MIB);
        for (int i = 0; i < COUNT; i++)
            ma_heap_free(heap, blocks[i]); // the last one takes the top down
        if (round == 0)
            expect_kept(heap, 2 * MIB);
        else
            ck_assert_uint_ge(ma_heap_stats(heap).region_bytes, COUNT * MIB);
    }
}
END_TEST

START_TEST(unused_memory_goes_back)
{
    enum { COUNT = 4000 };
    static void *blocks[COUNT];
    struct ma_heap *heap = ma_heap_create(65536);
    for (int i = 0; i < COUNT; i++)
        fill(blocks[i] = take(heap, 5000), 5000, 1);
    size_t before = ma_heap_stats(heap).region_bytes;
    for (int i = 0; i < COUNT; i++)
        ma_heap_free(heap, blocks[i]);
    size_t after = ma_heap_stats(heap).region_bytes;
    ck_assert_uint_gt(before, COUNT * 5000);
    ck_assert_uint_le(after, before / 4);
    expect_sound(heap);
    fill(take(heap, 10 * MIB), 10 * MIB, 1); // and it comes back
    expect_sound(heap);
}
END_TEST

// MiB by MiB, with no growth in between: the heap goes on to keep no more than 16 MiB.
START_TEST(unused_memory_goes_back_step_by_step)
{
    enum { COUNT = 64 };
    static void *blocks[COUNT];
    struct ma_heap *heap = ma_heap_create(65536);
    for (int i = 0; i < COUNT; i++)
        blocks[i] = take(heap, MIB);
    for (int i = COUNT - 1; i >= 0; i--)
        ma_heap_free(heap, blocks[i]);
    ck_assert_uint_le(ma_heap_stats(heap).region_bytes, 16 * MIB);
    expect_sound(heap);
    ma_heap_free(heap, take(heap, COUNT * MIB)); // all that went back is needed again, and stays
    ck_assert_uint_ge(ma_heap_stats(heap).region_bytes, COUNT * MIB);
}
END_TEST

// A program that takes and frees the same memory over and over soon does so without the system.
START_TEST(memory_in_constant_use_stays)
{
    struct ma_heap *heap = ma_heap_create(65536);
    for (int round = 0; round < 20; round++)
        ma_heap_free(heap, take(heap, 40 * MIB));
    ck_assert_uint_ge(ma_heap_stats(heap).region_bytes, 40 * MIB);
    expect_sound(heap);
}
END_TEST

// Bytes in memory of the heap's region, which begins on the page of `first`.
static size_t resident(struct ma_heap *heap, const void *first)
{
    static unsigned char pages[MIB];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t region = ma_heap_stats(heap).region_bytes;
    ck_assert_uint_le(region / page, sizeof pages);
    ck_assert_int_eq(mincore((void *)((uintptr_t)first / page * page), region, (void *)pages), 0);
    size_t count = 0;
    for (size_t i = 0; i < region / page; i++)
        count += pages[i] & 1;
    return count * page;
}

enum { COUNT_PINNED = 160000, PINNED_EVERY = 2000 };
static unsigned char *pinned_blocks[COUNT_PINNED];

static size_t order[COUNT_PINNED]; // in which the blocks are freed

// Fisher and Yates.
static void shuffle(void)
{
    uint32_t random = 1;
    for (size_t last = 0; last < COUNT_PINNED; last++) {
        random = random * 1664525 + 1013904223;
        size_t other = (random >> 8) % (last + 1);
        order[last] = order[other];
        order[other] = last;
    }
}

static void fill_pinned_blocks(struct ma_heap *heap)
{
    shuffle();
    for (size_t i = 0; i < COUNT_PINNED; i++)
        fill(pinned_blocks[i] = take(heap, i % 1000), i % 1000, (unsigned)i);
}

static void free_between_pinned_blocks(struct ma_heap *heap)
{
    for (size_t i = 0; i < COUNT_PINNED; i++)
        if (order[i] % PINNED_EVERY != 0)
            ma_heap_free(heap, pinned_blocks[order[i]]);
}

START_TEST(free_leaves_errno_alone)
{
    struct ma_heap *heap = ma_heap_create(65536);
    for (int round = 0; round < 2; round++) {
        void *large = take(heap, (size_t)(round + 1) * 128 * MIB);
        size_t region = ma_heap_stats(heap).region_bytes;
        errno = ERANGE;
        system_refuses = round == 1; // memory that cannot go back stays
        ma_heap_free(heap, large);
        system_refuses = false;
        ck_assert_int_eq(errno, ERANGE);
        ck_assert_int_eq(ma_heap_stats(heap).region_bytes == region, round == 1);
        expect_sound(heap);
    }
    fill_pinned_blocks(heap);
    errno = ERANGE;
    system_refuses = true; // nor can the pages between blocks
    free_between_pinned_blocks(heap);
    system_refuses = false;
    ck_assert_int_eq(errno, ERANGE);
    expect_sound(heap);
}
END_TEST

// A few blocks that stay do not keep the memory of all others. What went back can be used again, and
// then it stays.
START_TEST(pages_between_live_blocks_go_back)
{
    struct ma_heap *heap = ma_heap_create(65536);
    for (int round = 0; round < 2; round++) {
        fill_pinned_blocks(heap);
        size_t full = resident(heap, heap);
        free_between_pinned_blocks(heap);
        ck_assert_uint_gt(full, 64 * MIB);
        if (round == 0)
            ck_assert_uint_le(resident(heap, heap), full / 10 + 16 * MIB);
        expect_sound(heap);
        for (size_t i = 0; i < COUNT_PINNED; i += PINNED_EVERY) {
            ck_assert(is_filled(pinned_blocks[i], i % 1000, (unsigned)i));
            ma_heap_free(heap, pinned_blocks[i]);
        }
    }
}
END_TEST

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

// More than 16 MiB are idle in small blocks, which keep their pages. So does what lies above the top, if
// it is little: a program that frees there and asks again does not trouble the system each time.
START_TEST(top_in_constant_use_keeps_its_pages)
{
    enum { COUNT = 5000 };
    static void *blocks[COUNT];
    struct ma_heap *heap = ma_heap_create(64 * (size_t)MIB);
    for (size_t i = 0; i < COUNT; i++)
        fill(blocks[i] = take(heap, 10000), 10000, 1);
    for (size_t i = 0; i < COUNT; i += 2)
        ma_heap_free(heap, blocks[i]);
    long before = page_faults();
    for (int round = 0; round < 100; round++) {
        void *block = take(heap, MIB);
        fill(block, MIB, 1);
        ma_heap_free(heap, block);
    }
    ck_assert_int_lt(page_faults() - before, 6000); // of 25600, if each had to come anew
    expect_sound(heap);
}
END_TEST

// A heap with less than idle_max free does not trouble the system.
START_TEST(pages_of_a_small_heap_stay)
{
    enum { COUNT = 80 };
    static void *blocks[COUNT];
    struct ma_heap *heap = ma_heap_create(16 * (size_t)MIB);
    for (int i = 0; i < COUNT; i++)
        fill(blocks[i] = take(heap, 100000), 100000, 1);
    size_t full = resident(heap, heap);
    for (int i = 0; i < COUNT - 1; i++)
        ma_heap_free(heap, blocks[i]);
    ck_assert_uint_eq(resident(heap, heap), full);
    expect_sound(heap);
}
END_TEST

// Large blocks with a smaller one behind them, that they may not join the top.
static void fill_large_blocks(struct ma_heap *heap, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fill(pinned_blocks[i] = take(heap, 100000), 100000, 1);
    take(heap, 1000);
}

static void free_large_blocks(struct ma_heap *heap, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ma_heap_free(heap, pinned_blocks[i]);
}

// Half of it is freed and used again, over and over: soon nothing goes back any more.
START_TEST(pages_in_constant_use_stay)
{
    struct ma_heap *heap = ma_heap_create(64 * (size_t)MIB);
    fill_large_blocks(heap, 500);
    size_t full = resident(heap, heap);
    size_t left = 0;
    for (int round = 0; round < 3; round++) {
        free_large_blocks(heap, 250);
        left = resident(heap, heap);
        ck_assert(round > 0 || left < full); // the first time, more than 16 MiB are idle
        for (size_t i = 0; i < 250; i++)
            fill(pinned_blocks[i] = take(heap, 100000), 100000, 1);
        expect_sound(heap);
    }
    ck_assert_uint_eq(left, full);
}
END_TEST

// Frees a block and says whether the system was asked to take memory back.
static bool gives_back(struct ma_heap *heap, void *block)
{
    calls = 0;
    ma_heap_free(heap, block);
    expect_sound(heap);
    return calls != 0;
}

// A block that merges with none when it is freed.
static void *take_apart(struct ma_heap *heap, size_t size)
{
    void *block = take(heap, size);
    take(heap, 1000);
    return block;
}

// A block of 20 MiB goes back at once. Then only that part of it counts which is used again, and
// when it is free.
START_TEST(what_went_back_is_not_idle)
{
    struct ma_heap *heap = ma_heap_create(65536);
    void *large[2] = {take_apart(heap, 20 * MIB), take_apart(heap, 20 * MIB)};
    unsigned char *small[3];
    for (size_t i = 0; i < 3; i++)
        small[i] = memset(take_apart(heap, 100000), 0xFF, 100000);
    ck_assert(gives_back(heap, large[0]));
    ck_assert(!gives_back(heap, small[0]));
    take(heap, 200000); // of what went back: too little to be regretted
    ck_assert(!gives_back(heap, small[1]));
    ck_assert(gives_back(heap, large[1]));
    ck_assert(!gives_back(heap, small[2]));
}
END_TEST

// Free blocks of one size stay as long as they have 16 MiB at most. The next one goes back, and is not
// idle: a smaller one stays again.
START_TEST(free_block_beyond_the_limit_goes_back)
{
    static const size_t sizes[] = {100000, 900000, 20 * MIB};
    size_t count = 16 * MIB / sizes[_i];
    struct ma_heap *heap = ma_heap_create(65536);
    void *small = take_apart(heap, 66000);
    for (size_t i = 0; i <= count; i++)
        pinned_blocks[i] = take_apart(heap, sizes[_i]);
    for (size_t i = 0; i <= count; i++)
        ck_assert_int_eq(gives_back(heap, pinned_blocks[i]), i == count);
    ck_assert(!gives_back(heap, small));
}
END_TEST

// So too where a block grows into what went back.
START_TEST(what_went_back_beside_a_growing_block)
{
    struct ma_heap *heap = ma_heap_create(65536);
    void *grows = take(heap, 1000);
    void *large = take_apart(heap, 20 * MIB);
    void *small = take_apart(heap, 100000);
    ck_assert(gives_back(heap, large));
    ck_assert_ptr_eq(ma_heap_realloc(heap, grows, 2000), grows);
    ck_assert(!gives_back(heap, small));
}
END_TEST

// What was wanted again lets 36 MiB be idle instead of 16, and no more.
START_TEST(regret_is_felt_once)
{
    struct ma_heap *heap = ma_heap_create(65536);
    void *large[2] = {take_apart(heap, 20 * MIB), take_apart(heap, 20 * MIB)};
    ck_assert(gives_back(heap, large[0]));
    ck_assert_ptr_eq(take(heap, 20 * MIB), large[0]);
    ck_assert(!gives_back(heap, large[0]));
    ck_assert(gives_back(heap, large[1]));
}
END_TEST

// And so where the region grows: 38 MiB go back, 28 are wanted again, then 44 may be idle. The region
// grows further, which is none of it.
START_TEST(regret_of_growth_is_felt_once)
{
    struct ma_heap *heap = ma_heap_create(65536);
    ck_assert(gives_back(heap, take(heap, 40 * MIB)));
    ck_assert(!gives_back(heap, take(heap, MIB)));
    ck_assert(!gives_back(heap, take(heap, 30 * MIB)));
    ck_assert(gives_back(heap, take(heap, 70 * MIB)));
    ck_assert_uint_le(ma_heap_stats(heap).region_bytes, 8 * MIB);
}
END_TEST

// The heap goes on in another region, which grows: that nothing went back of.
START_TEST(trim_of_another_region_is_forgotten)
{
    struct ma_heap *heap = ma_heap_create(65536);
    ck_assert(gives_back(heap, take(heap, 40 * MIB)));
    block_the_way(heap);
    take(heap, 30 * MIB);
    ck_assert(gives_back(heap, take(heap, 20 * MIB)));
}
END_TEST

// A heap that was refused memory keeps no more than at first, whatever it has learned.
START_TEST(little_is_kept_where_memory_is_scarce)
{
    struct ma_heap *heap = ma_heap_create(65536);
    void *large = take_apart(heap, 20 * MIB);
    ck_assert(gives_back(heap, large));
    for (int round = 0; round < 2; round++) {
        ck_assert_ptr_eq(take(heap, 20 * MIB), large);
        ck_assert_ptr_null(ma_heap_malloc(heap, MA_HEAP_MAX - 4096));
        ck_assert(gives_back(heap, large));
        ck_assert_ptr_eq(take(heap, 20 * MIB), large);
        ck_assert(!gives_back(heap, large));
    }
}
END_TEST

// A heap that goes on in another region has learned that 36 MiB may be idle.
START_TEST(idle_limit_moves_along)
{
    struct ma_heap *heap = ma_heap_create(65536);
    void *large[3];
    for (size_t i = 0; i < 3; i++)
        large[i] = take_apart(heap, 20 * MIB);
    ck_assert(gives_back(heap, large[0]));
    ck_assert_ptr_eq(take(heap, 20 * MIB), large[0]);
    ck_assert(!gives_back(heap, large[0]));
    block_the_way(large[2]);
    void *small = take_apart(heap, 30 * MIB);
    void *apart = take_apart(heap, 100000);
    ck_assert(!gives_back(heap, apart));
    ck_assert(gives_back(heap, small));
}
END_TEST

// What was never used of a region that the heap leaves is not idle; what was used, is.
START_TEST(rest_of_a_region_counts_if_it_was_used)
{
    struct ma_heap *heap = ma_heap_create(32 * (size_t)MIB);
    void *small[2] = {take_apart(heap, 100000), take_apart(heap, 5 * MIB)};
    ma_heap_free(heap, take(heap, 12 * MIB));
    block_the_way(small[1]);
    take(heap, 32 * MIB);
    ck_assert(!gives_back(heap, small[0]));
    ck_assert(gives_back(heap, small[1]));
}
END_TEST

enum { SMALL_BLOCKS = 600, LARGE_BLOCKS = 300 };

// 18 MiB in free blocks of 60000 bytes, which do not merge.
static void free_small_blocks(struct ma_heap *heap)
{
    for (size_t i = 0; i < SMALL_BLOCKS; i++)
        pinned_blocks[i] = take(heap, 60000);
    take(heap, 1000);
    for (size_t i = 0; i < SMALL_BLOCKS; i += 2)
        ma_heap_free(heap, pinned_blocks[i]);
}

// The system is not asked for pages of blocks below 64 KiB, nor for memory that was never used.
START_TEST(pages_of_small_blocks_stay)
{
    struct ma_heap *heap = ma_heap_create(64 * (size_t)MIB);
    calls = 0;
    free_small_blocks(heap);
    ck_assert_int_eq(calls, 0);
    ck_assert(!gives_back(heap, take(heap, 61000)));
}
END_TEST

// While too much is idle elsewhere, 31 MB are freed at the top: 2 MiB go back at a time.
START_TEST(top_goes_back_in_steps)
{
    struct ma_heap *heap = ma_heap_create(65536);
    free_small_blocks(heap);
    for (size_t i = 0; i < 512; i++)
        pinned_blocks[i] = take(heap, 61000);
    calls = 0;
    for (size_t i = 512; i > 0; i--)
        ma_heap_free(heap, pinned_blocks[i - 1]);
    ck_assert_int_ge(calls, 10);
    ck_assert_int_le(calls, 20);
    expect_sound(heap);
}
END_TEST

// A free block to which 300 are added goes back whenever a sixteenth of it is idle: 64 times.
START_TEST(growing_free_block_goes_back_at_times)
{
    struct ma_heap *heap = ma_heap_create(65536);
    free_small_blocks(heap);
    for (size_t i = 0; i < LARGE_BLOCKS; i++)
        pinned_blocks[i] = take(heap, 100000);
    take(heap, 1000);
    calls = 0;
    for (size_t i = 0; i < LARGE_BLOCKS; i++)
        ma_heap_free(heap, pinned_blocks[i]);
    ck_assert_int_ge(calls, 50);
    ck_assert_int_le(calls, 80);
    expect_sound(heap);
}
END_TEST

// While too much is idle elsewhere: of a block that went back a part is used, and freed.
START_TEST(what_went_back_is_known_in_part)
{
    struct ma_heap *heap = ma_heap_create(65536);
    void *large = take_apart(heap, 20 * MIB);
    free_small_blocks(heap);
    ck_assert(gives_back(heap, large));
    void *part = take(heap, 200000);
    ck_assert(!gives_back(heap, part));
}
END_TEST

// Misuse that was found is told before anything else happens.
START_TEST(nothing_goes_back_amid_misuse)
{
    struct ma_heap *heap = ma_heap_create(65536);
    void *large = take(heap, 20 * MIB);
    void *overwritten = take_apart(heap, 1000);
    ma_heap_free(heap, overwritten);
    memset(overwritten, 0x41, 16);
    ma_set_misuse_handler(note_message);
    calls = 0;
    ma_heap_free(heap, large);
    expect_message(overwritten, "ma_heap_free", "freed block overwritten");
    ck_assert_int_eq(calls, 0);
    ma_set_misuse_handler(NULL);
}
END_TEST

static struct ma_heap *used_meanwhile;
static void *neighbours[2];
static const char *broken_meanwhile;

static void free_neighbours(void)
{
    broken_meanwhile = ma_heap_check(used_meanwhile);
    for (size_t i = 0; i < 2 && broken_meanwhile == NULL; i++) {
        ma_heap_free(used_meanwhile, neighbours[i]);
        broken_meanwhile = ma_heap_check(used_meanwhile);
    }
    neighbours[0] = NULL;
}

// As if by another thread, the neighbours of a block are freed while its pages go back. If the mutex
// were held this would wait for ever.
START_TEST(heap_is_usable_while_pages_go_back)
{
    struct ma_heap *heap = ma_heap_create(65536);
    neighbours[0] = take(heap, 1000);
    void *large = take(heap, 20 * MIB);
    void *merges = take(heap, 1000);
    neighbours[1] = take_apart(heap, 1000);
    ma_heap_free(heap, merges);
    used_meanwhile = heap;
    meanwhile = free_neighbours;
    ma_heap_free(heap, large);
    ck_assert_ptr_null(neighbours[0]);
    ck_assert_pstr_eq(broken_meanwhile, NULL);
    ck_assert_uint_eq(ma_heap_stats(heap).free_blocks, 1);
    expect_sound(heap);
}
END_TEST

// The caller's memory is the caller's: neither its pages nor its end go back.
START_TEST(given_memory_stays)
{
    struct ma_heap *heap = make_heap(64 * (size_t)MIB);
    fill_large_blocks(heap, 500);
    size_t full = resident(heap, heap);
    free_large_blocks(heap, 500);
    ck_assert_uint_eq(resident(heap, heap), full);
    heap = make_heap(64 * (size_t)MIB);
    ma_heap_free(heap, take(heap, 40 * MIB));
    ck_assert_uint_eq(ma_heap_stats(heap).region_bytes, 64 * (size_t)MIB);
    expect_sound(heap);
}
END_TEST

// The same for small blocks of the default heap, which a thread cache may hold.
START_TEST(pages_of_an_empty_default_heap_go_back)
{
    struct ma_heap *heap = ma_default_heap();
    shuffle();
    for (size_t i = 0; i < COUNT_PINNED; i++)
        fill(pinned_blocks[i] = ma_malloc(i % 1000), i % 1000, (unsigned)i);
    size_t full = resident(heap, pinned_blocks[0]);
    for (size_t i = 0; i < COUNT_PINNED; i++)
        ma_free(pinned_blocks[order[i]]);
    ck_assert_uint_gt(full, 64 * MIB);
    ck_assert_uint_le(resident(heap, pinned_blocks[0]), full / 4); // above the top, 16 MiB may stay
    expect_sound(heap);
}
END_TEST

static void add_rows_of_growth(void)
{
    add_row(grows_past_the_first_region);
    add_row(default_heap_grows);
    add_row(one_request_larger_than_the_region);
    add_row(growth_takes_few_steps);
    add_row(heap_in_given_memory_does_not_grow);
    add_row(memory_limit_is_respected);
    add_row(heap_in_a_mapping_refused);
    add_row(grows_by_less_where_the_limit_is_near);
    add_row(goes_on_where_another_begins);
    add_row(goes_on_again_and_again);
    add_loop_row(destroyed_regions_go_back, 5);
    add_loop_row(last_block_of_a_region, 5);
    add_row(goes_on_with_less_near_the_limit);
    add_row(first_region_refused);
}

static void add_rows_of_giving_back(void)
{
    add_row(unused_memory_goes_back);
    add_row(unused_memory_goes_back_step_by_step);
    add_row(unused_memory_stays);
    add_row(more_than_the_idle_limit_goes_back);
    add_row(memory_that_went_back_is_forgotten);
    add_row(what_was_needed_again_stays);
    add_row(free_leaves_errno_alone);
    add_row(memory_in_constant_use_stays);
    add_row(pages_between_live_blocks_go_back);
    add_row(top_in_constant_use_keeps_its_pages);
    add_row(pages_of_a_small_heap_stay);
    add_row(pages_in_constant_use_stay);
    add_loop_row(free_block_beyond_the_limit_goes_back, 3);
    add_row(what_went_back_is_not_idle);
    add_row(what_went_back_beside_a_growing_block);
    add_row(regret_is_felt_once);
    add_row(regret_of_growth_is_felt_once);
    add_row(trim_of_another_region_is_forgotten);
    add_row(little_is_kept_where_memory_is_scarce);
    add_row(idle_limit_moves_along);
    add_row(rest_of_a_region_counts_if_it_was_used);
    add_row(pages_of_small_blocks_stay);
    add_row(top_goes_back_in_steps);
    add_row(growing_free_block_goes_back_at_times);
    add_row(what_went_back_is_known_in_part);
    add_row(nothing_goes_back_amid_misuse);
    add_row(heap_is_usable_while_pages_go_back);
    add_row(given_memory_stays);
    add_row(pages_of_an_empty_default_heap_go_back);
}

void add_growth_rows(void)
{
    add_rows_of_growth();
    add_rows_of_giving_back();
}
