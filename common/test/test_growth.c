// Regions that grow (stage 2) and shrink (stage 4), within what the system allows.

#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
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
    char *large = take(heap, 64 * MIB);
    large[0] = large[64 * MIB - 1] = 1;
    expect_sound(heap);
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
    char line[100];
    FILE *file = fopen("/proc/self/statm", "r"); // its first number: pages in use
    if (file == NULL || fgets(line, sizeof line, file) == NULL)
        return false;
    fclose(file);
    rlim_t bytes = strtoul(line, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE) + more;
    const struct rlimit limit = {bytes, bytes};
    return setrlimit(RLIMIT_AS, &limit) == 0;
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

START_TEST(grows_by_less_where_the_limit_is_near)
{
    struct ma_heap *heap = ma_heap_create(65536);
    struct outcome outcome = run_in_child(grow_by_what_is_left, heap);
    expect_exit_0(&outcome, "with RLIMIT_AS 512 KiB above what is in use");
}
END_TEST

// --- memory goes back ----------------------------------------------------------------------------

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

// A program that takes and frees the same memory over and over soon does so without the system.
START_TEST(memory_in_constant_use_stays)
{
    struct ma_heap *heap = ma_heap_create(65536);
    for (int round = 0; round < 20; round++)
        ma_heap_free(heap, take(heap, 8 * MIB));
    ck_assert_uint_ge(ma_heap_stats(heap).region_bytes, 8 * MIB);
    expect_sound(heap);
}
END_TEST

void add_growth_rows(void)
{
    add_row(grows_past_the_first_region);
    add_row(default_heap_grows);
    add_row(one_request_larger_than_the_region);
    add_row(heap_in_given_memory_does_not_grow);
    add_row(memory_limit_is_respected);
    add_row(grows_by_less_where_the_limit_is_near);
    add_row(unused_memory_goes_back);
    add_row(memory_in_constant_use_stays);
}
