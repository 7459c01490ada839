// Looking inside: ma_heap_walk, ma_heap_stats and ma_heap_check agree with each other.

#include "suite.h"

#include <string.h>
#include <unistd.h>

enum { BLOCKS_MAX = 1000 };
static struct ma_block blocks[BLOCKS_MAX];

// A heap with blocks of several sizes, every third of them freed.
static struct ma_heap *make_used_heap(size_t count)
{
    struct ma_heap *heap = make_heap(1 << 20);
    void *payloads[BLOCKS_MAX];
    for (size_t i = 0; i < count; i++)
        payloads[i] = take(heap, i * 37 % 900);
    for (size_t i = 0; i < count; i += 3)
        ma_heap_free(heap, payloads[i]);
    return heap;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

START_TEST(default_heap_starts_without_a_region)
{
    struct ma_heap *heap = ma_default_heap();
    if (ma_heap_stats(heap).region_bytes == 0) { // with CK_FORK=no another test came first
        ck_assert_uint_eq(list_blocks(heap, blocks, BLOCKS_MAX), 0);
        expect_sound(heap);
    }
    ck_assert_ptr_nonnull(ma_malloc(1));
    ck_assert_uint_ge(ma_heap_stats(heap).region_bytes, MA_HEAP_SIZE);
    ck_assert_uint_lt(ma_heap_stats(heap).region_bytes, MA_HEAP_SIZE + page_bytes());
}
END_TEST

START_TEST(empty_heap_is_all_top)
{
    struct ma_heap *heap = make_heap(65536);
    struct ma_stats stats = ma_heap_stats(heap);
    ck_assert_uint_eq(stats.live_blocks + stats.free_blocks + stats.header_bytes, 0);
    ck_assert_uint_eq(stats.padding_bytes + stats.top_bytes, 65536);
    ck_assert_uint_le(stats.padding_bytes, MA_HEAP_MIN);
    ck_assert_uint_eq(list_blocks(heap, blocks, BLOCKS_MAX), 0);
    expect_sound(heap);
}
END_TEST

START_TEST(walk_tiles_the_heap)
{
    struct ma_heap *heap = make_used_heap(300);
    struct ma_stats stats = ma_heap_stats(heap);
    size_t count = list_blocks(heap, blocks, BLOCKS_MAX);
    ck_assert(count > 0 && count < BLOCKS_MAX);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const char *end = (const char *)blocks[i].address + blocks[i].size;
        if (i + 1 < count && end != blocks[i + 1].address)
            ck_abort_msg("block %zu does not begin where the one before ends", i + 1);
        ck_assert((const char *)blocks[i].payload < end);
        ck_assert(is_aligned(blocks[i].payload, _Alignof(max_align_t)));
        bytes += blocks[i].size;
    }
    ck_assert_uint_eq(bytes + stats.padding_bytes + stats.top_bytes, stats.region_bytes);
}
END_TEST

START_TEST(stats_are_the_sums_of_the_walk)
{
    for (size_t count = 0; count < 300; count += 7)
        expect_sound(make_used_heap(count));
}
END_TEST

static bool stop_at_0(const struct ma_block *block, void *context)
{
    size_t *left = context;
    (void)block;
    return --*left != 0;
}

START_TEST(walk_can_be_stopped)
{
    struct ma_heap *heap = make_used_heap(30);
    size_t count = list_blocks(heap, blocks, BLOCKS_MAX);
    for (size_t stop = 1; stop <= count; stop++) {
        size_t left = stop;
        ck_assert(!ma_heap_walk(heap, stop_at_0, &left));
        ck_assert_uint_eq(left, 0);
    }
    size_t left = count + 1;
    ck_assert(ma_heap_walk(heap, stop_at_0, &left));
    ck_assert_uint_eq(left, 1);
    ck_assert_uint_gt(ma_heap_stats(heap).top_bytes, 0); // the heap can be used: no lock is left
}
END_TEST

START_TEST(walk_stops_at_an_overwritten_header)
{
    struct ma_heap *heap = make_heap(65536);
    unsigned char *payloads[5];
    for (size_t i = 0; i < 5; i++)
        payloads[i] = take(heap, 100);
    for (unsigned value = 0; value < 256; value += 255) {
        memset(payloads[3] - 8, (int)value, 8);
        size_t left = BLOCKS_MAX;
        ck_assert(!ma_heap_walk(heap, stop_at_0, &left));
        ck_assert_uint_eq(left, BLOCKS_MAX - 3);
        ck_assert_uint_eq(ma_heap_stats(heap).live_blocks, 3);
        ck_assert_ptr_nonnull(ma_heap_check(heap));
    }
}
END_TEST

START_TEST(walk_shows_each_block)
{
    struct ma_heap *heap = make_heap(65536);
    void *payloads[10];
    for (size_t i = 0; i < 10; i++)
        payloads[i] = take(heap, 100 * i);
    for (size_t i = 1; i < 9; i += 2)
        ma_heap_free(heap, payloads[i]);
    ck_assert_uint_eq(list_blocks(heap, blocks, BLOCKS_MAX), 10);
    for (size_t i = 0; i < 10; i++) {
        bool is_freed = i % 2 == 1 && i < 9;
        ck_assert_ptr_eq(blocks[i].payload, payloads[i]);
        ck_assert_int_eq(blocks[i].state, is_freed ? MA_BLOCK_FREE : MA_BLOCK_USED);
        ck_assert_uint_ge(blocks[i].size, 100 * i);
    }
    struct ma_stats stats = ma_heap_stats(heap);
    ck_assert(stats.live_blocks == 6 && stats.free_blocks == 4);
    ck_assert(stats.largest_free >= 700 && stats.largest_free < 732);
}
END_TEST

// Blocks of one size are on one list in every stage: following it meets each free block once.
START_TEST(walk_shows_the_free_list)
{
    struct ma_heap *heap = make_heap(65536);
    void *payloads[20];
    for (size_t i = 0; i < 20; i++)
        payloads[i] = take(heap, 100);
    for (size_t i = 0; i < 20; i += 2)
        ma_heap_free(heap, payloads[i]);
    const void *place = payloads[18]; // freed last: the first on the list
    list_blocks(heap, blocks, BLOCKS_MAX);
    for (size_t i = 18;; i -= 2) {
        ck_assert_ptr_eq(place, payloads[i]);
        ck_assert_ptr_eq(blocks[i].payload, payloads[i]);
        place = blocks[i].next_free;
        if (i == 0)
            break;
    }
    ck_assert_ptr_null(place);
}
END_TEST

// What looks like a link, but is none: a used block's content, or what was written after free.
START_TEST(walk_shows_no_other_links)
{
    struct ma_heap *heap = make_heap(65536);
    uintptr_t *used = take(heap, 100);
    uintptr_t *freed = take(heap, 100);
    take(heap, 100);
    list_blocks(heap, blocks, 3);
    *used = (uintptr_t)blocks[2].address;
    ma_heap_free(heap, freed);
    *freed = 0x4141414141414141 & UINTPTR_MAX;
    list_blocks(heap, blocks, 3);
    ck_assert_ptr_null(blocks[0].next_free);
    ck_assert_ptr_null(blocks[1].next_free);
}
END_TEST

START_TEST(headers_are_8_bytes)
{
    struct ma_heap *heap = make_heap(65536);
    for (size_t size = 0; size <= 200; size++)
        take(heap, size);
    size_t count = list_blocks(heap, blocks, BLOCKS_MAX);
    ck_assert_uint_eq(count, 201);
    ck_assert_uint_eq(ma_heap_stats(heap).header_bytes, 8 * count);
    for (size_t size = 0; size < count; size++) {
        size_t expected = size <= 24 ? 32 : (size + 8 + 15) / 16 * 16;
        ck_assert_uint_eq(blocks[size].size, expected);
        ck_assert_ptr_eq(blocks[size].payload, (const char *)blocks[size].address + 8);
    }
}
END_TEST

void add_inside_rows(void)
{
    add_row(default_heap_starts_without_a_region);
    add_row(empty_heap_is_all_top);
    add_row(walk_tiles_the_heap);
    add_row(stats_are_the_sums_of_the_walk);
    add_row(walk_can_be_stopped);
    add_row(walk_stops_at_an_overwritten_header);
    add_row(walk_shows_each_block);
    add_row(walk_shows_the_free_list);
    add_row(walk_shows_no_other_links);
    add_row(headers_are_8_bytes);
}
