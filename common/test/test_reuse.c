// What a free list adds (stage 2): freed memory comes back. And exhaustion, which every stage
// survives.

#include "suite.h"

#include <errno.h>

START_TEST(exhaustion_leaves_the_heap_intact)
{
    struct ma_heap *heap = make_heap(65536);
    void *first = take(heap, 1000);
    fill(first, 1000, 1);
    ck_assert_uint_gt(take_all(heap, 1000), 40);
    struct ma_stats before = ma_heap_stats(heap);
    for (size_t size = 1000; size < 100000; size += 999) {
        errno = 0;
        if (ma_heap_malloc(heap, size) != NULL || errno != ENOMEM)
            ck_abort_msg("%zu bytes from an exhausted heap: errno is %d", size, errno);
    }
    struct ma_stats after = ma_heap_stats(heap);
    ck_assert(same_stats(&before, &after));
    expect_sound(heap);
    ck_assert(is_filled(first, 1000, 1));
}
END_TEST

// The last block ends where the heap does, or less than 16 bytes before.
START_TEST(last_bytes_are_used)
{
    struct ma_heap *heap = make_heap(65536 + (size_t)_i);
    take(heap, 100);
    struct ma_stats stats = ma_heap_stats(heap);
    size_t last = stats.top_bytes / 16 * 16 - stats.header_bytes; // the header of one block
    fill(take(heap, last), last, 1);
    ck_assert_uint_lt(ma_heap_stats(heap).top_bytes, 16);
    expect_sound(heap);
}
END_TEST

START_TEST(every_call_reports_exhaustion)
{
    struct ma_heap *heap = make_heap(65536);
    void *block = take(heap, 100);
    fill(block, 100, 1);
    errno = 0;
    ck_assert(ma_heap_realloc(heap, block, 65536) == NULL && errno == ENOMEM); // the last block
    exhaust(heap);
    struct ma_stats before = ma_heap_stats(heap);
    errno = 0;
    ck_assert(ma_heap_calloc(heap, 10, 100) == NULL && errno == ENOMEM);
    errno = 0;
    ck_assert(ma_heap_aligned_alloc(heap, 64, 100) == NULL && errno == ENOMEM);
    errno = 0;
    ck_assert(ma_heap_realloc(heap, block, 200) == NULL && errno == ENOMEM);
    struct ma_stats after = ma_heap_stats(heap);
    ck_assert(same_stats(&before, &after));
    ck_assert(is_filled(block, 100, 1));
    expect_sound(heap);
}
END_TEST

// The last aligned block of a heap, wherever the heap ends.
START_TEST(aligned_alloc_reports_exhaustion)
{
    struct ma_heap *heap = make_heap(MA_HEAP_MIN + 16 * (size_t)_i);
    size_t count = 0;
    errno = 0;
    for (void *block; (block = ma_heap_aligned_alloc(heap, 256, 100)) != NULL; count++) {
        ck_assert(is_aligned(block, 256));
        fill(block, 100, 1);
        expect_sound(heap);
    }
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_uint_gt(count, 0);
    expect_sound(heap);
}
END_TEST

START_TEST(exhausted_heap_recovers)
{
    enum { ROOM = 1000 };
    void *blocks[ROOM];
    struct ma_heap *heap = make_heap(65536);
    size_t first_count = 0;
    for (int round = 0; round < 5; round++) {
        size_t count = 0;
        while (count < ROOM && (blocks[count] = ma_heap_malloc(heap, 100)) != NULL)
            fill(blocks[count++], 100, 7);
        ck_assert_uint_gt(count, 100);
        first_count = round == 0 ? count : first_count;
        ck_assert_uint_eq(count, first_count);
        for (size_t i = 0; i < count; i++)
            ma_heap_free(heap, blocks[i]);
        expect_sound(heap);
    }
}
END_TEST

// More is asked for and given back than the heap has room for, while one block stays.
START_TEST(churn_beside_a_long_lived_block)
{
    struct ma_heap *heap = make_heap(65536);
    void *long_lived = take(heap, 100);
    fill(long_lived, 100, 1);
    for (unsigned i = 0; i < 10000; i++) {
        void *payload = take(heap, 1000);
        fill(payload, 1000, i);
        ma_heap_free(heap, payload);
    }
    ck_assert(is_filled(long_lived, 100, 1));
    expect_sound(heap);
}
END_TEST

START_TEST(freed_block_is_reused)
{
    struct ma_heap *heap = make_heap(65536);
    void *blocks[5];
    for (size_t i = 0; i < 5; i++)
        blocks[i] = take(heap, 200);
    ma_heap_free(heap, blocks[1]);
    ma_heap_free(heap, blocks[3]);
    ck_assert_ptr_eq(take(heap, 200), blocks[3]); // freed last, reused first
    ck_assert_ptr_eq(take(heap, 200), blocks[1]);
    expect_sound(heap);
}
END_TEST

START_TEST(realloc_shrinks_in_place)
{
    struct ma_heap *heap = make_heap(65536);
    char *block = take(heap, 1000);
    take(heap, 100);
    fill(block, 1000, 1);
    for (size_t size = 999; size > 0; size--) {
        ck_assert_ptr_eq(ma_heap_realloc(heap, block, size), block);
        if (!is_filled(block, size, 1))
            ck_abort_msg("shrinking to %zu bytes changes contents", size);
    }
    expect_sound(heap);
}
END_TEST

void add_reuse_rows(void)
{
    add_row(exhaustion_leaves_the_heap_intact);
    add_loop_row(last_bytes_are_used, 16);
    add_row(every_call_reports_exhaustion);
    add_loop_row(aligned_alloc_reports_exhaustion, 32);
    add_row(exhausted_heap_recovers);
    add_row(churn_beside_a_long_lived_block);
    add_row(freed_block_is_reused);
    add_row(realloc_shrinks_in_place);
}
