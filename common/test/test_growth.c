// Regions that grow (stage 2) and shrink (stage 4), within what the system allows.

#include "suite.h"

#include <errno.h>
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
        take(heap, 10000);
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
    return ma_heap_malloc(heap, MIB) == NULL && ma_heap_check(heap) == NULL ? 0 : 3;
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
    struct ma_block first;
    ck_assert_uint_eq(list_blocks(heap, &first, 1), 1);
    struct ma_stats before = ma_heap_stats(heap);
    uintptr_t limit = (uintptr_t)first.address - before.padding_bytes + before.region_bytes;
    // If the system maps the page elsewhere, another lies there already.
    void *page = mmap((void *)limit, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(page != MAP_FAILED);
    size_t mapped = mapped_bytes();
    for (size_t size = 100000; size <= 10000000; size *= 10) {
        fill(take(heap, size), size, 2);
        expect_sound(heap);
    }
    struct ma_stats after = ma_heap_stats(heap);
    ck_assert_uint_eq(after.live_blocks, 4);
    ck_assert_uint_eq(after.free_blocks, 1); // what was left above the first
    // What the system maps elsewhere is used, or goes back. Valgrind maps a little for itself.
    ck_assert_uint_le(mapped_bytes() - mapped, after.region_bytes - before.region_bytes + MIB / 2);
    ck_assert(is_filled(block, 1000, 1));
    ma_heap_free(heap, block);
    expect_sound(heap);
}
END_TEST

// --- memory goes back ----------------------------------------------------------------------------

static bool system_refuses;

// These two stand in the place of the C library's, for the allocator as well.
int munmap(void *address, size_t size)
{
    if (!system_refuses)
        return (int)syscall(SYS_munmap, address, size);
    errno = EPERM;
    return -1;
}

int madvise(void *address, size_t size, int advice)
{
    if (!system_refuses)
        return (int)syscall(SYS_madvise, address, size, advice);
    errno = EPERM;
    return -1;
}

// The rule of stage 4: when more than idle_max bytes were used and are not, memory goes back: pages of
// large free blocks, and what lies above the top, but for an eighth of idle_max. It is 16 MiB at first;
// whenever more is idle again, and more than an eighth of it went back and was needed again, it doubles.

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
    ma_heap_free(heap, memset(take(heap, 30 * MIB), 0xFF, 30 * MIB)); // 32 MiB may be idle now
    ck_assert_uint_ge(ma_heap_stats(heap).region_bytes, 30 * MIB);
    ma_heap_free(heap, memset(take(heap, 40 * MIB), 0xFF, 40 * MIB));
    expect_kept(heap, 4 * MIB);
    ck_assert(is_zero(ma_heap_calloc(heap, 1, 20 * MIB), 20 * MIB));
}
END_TEST

// The heap grows several times a round, but only the first time is after memory went back.
START_TEST(each_regrowth_doubles_the_idle_limit)
{
    enum { COUNT = 80 };
    static void *blocks[COUNT];
    struct ma_heap *heap = ma_heap_create(65536);
    for (size_t keep = 2; keep <= 32; keep *= 2) {
        for (int i = 0; i < COUNT; i++)
            blocks[i] = take(heap, MIB);
        for (int i = 0; i < COUNT; i++)
            ma_heap_free(heap, blocks[i]); // the last one takes the top down
        if (8 * keep < COUNT)
            expect_kept(heap, keep * MIB);
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
        void *large = take(heap, 64 * (size_t)MIB);
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

// A few blocks that stay do not keep the memory of all others. What went back can be used again; the
// second time, 32 MiB may be idle.
START_TEST(pages_between_live_blocks_go_back)
{
    struct ma_heap *heap = ma_heap_create(65536);
    for (int round = 0; round < 2; round++) {
        fill_pinned_blocks(heap);
        size_t full = resident(heap, heap);
        free_between_pinned_blocks(heap);
        ck_assert_uint_gt(full, 64 * MIB);
        ck_assert_uint_le(resident(heap, heap), full / 10 + (size_t)(round + 1) * 16 * MIB);
        expect_sound(heap);
        for (size_t i = 0; i < COUNT_PINNED; i += PINNED_EVERY) {
            ck_assert(is_filled(pinned_blocks[i], i % 1000, (unsigned)i));
            ma_heap_free(heap, pinned_blocks[i]);
        }
    }
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

void add_growth_rows(void)
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
    add_row(unused_memory_goes_back);
    add_row(unused_memory_goes_back_step_by_step);
    add_row(unused_memory_stays);
    add_row(more_than_the_idle_limit_goes_back);
    add_row(memory_that_went_back_is_forgotten);
    add_row(each_regrowth_doubles_the_idle_limit);
    add_row(free_leaves_errno_alone);
    add_row(memory_in_constant_use_stays);
    add_row(pages_between_live_blocks_go_back);
    add_row(pages_of_a_small_heap_stay);
    add_row(pages_in_constant_use_stay);
    add_row(given_memory_stays);
    add_row(pages_of_an_empty_default_heap_go_back);
}
