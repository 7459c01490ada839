// What boundary tags add (stage 4): free neighbours become one block, blocks grow where they lie.

#include "suite.h"

enum { SIZE = 1000, BLOCK_SIZE = 1008 }; // a payload, and the block that holds it

// Five blocks of BLOCK_SIZE in a row; behind them no more memory.
struct row_of_blocks {
    struct ma_heap *heap;
    char *before, *left, *middle, *right, *after;
};

static struct row_of_blocks make_row(void)
{
    struct row_of_blocks row = {.heap = make_heap(65536)};
    row.before = take(row.heap, SIZE);
    row.left = take(row.heap, SIZE);
    row.middle = take(row.heap, SIZE);
    row.right = take(row.heap, SIZE);
    row.after = take(row.heap, SIZE);
    exhaust(row.heap);
    return row;
}

// Fails unless there is one free block, of so many of the row's, and it begins at payload.
static void expect_one_free(struct ma_heap *heap, const char *payload, size_t blocks)
{
    struct ma_stats stats = ma_heap_stats(heap);
    if (stats.free_blocks != 1 || stats.largest_free != blocks * BLOCK_SIZE - 8)
        ck_abort_msg("%zu free blocks, the largest of %zu bytes, instead of one of %zu",
                     stats.free_blocks, stats.largest_free, blocks * BLOCK_SIZE - 8);
    ck_assert_ptr_eq(take(heap, blocks * BLOCK_SIZE - 8), payload);
    expect_sound(heap);
}

START_TEST(three_neighbours_in_any_order)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct row_of_blocks row = make_row();
    char *const neighbours[3] = {row.left, row.middle, row.right};
    for (int i = 0; i < 3; i++) {
        ma_heap_free(row.heap, neighbours[orders[_i][i]]);
        expect_sound(row.heap);
    }
    char *all = take(row.heap, 3 * SIZE);
    ck_assert_ptr_eq(all, row.left);
    fill(all, 3 * SIZE, 1);
    expect_sound(row.heap);
}
END_TEST

START_TEST(merge_left)
{
    struct row_of_blocks row = make_row();
    ma_heap_free(row.heap, row.left);
    ma_heap_free(row.heap, row.middle);
    expect_one_free(row.heap, row.left, 2);
}
END_TEST

START_TEST(merge_right)
{
    struct row_of_blocks row = make_row();
    ma_heap_free(row.heap, row.right);
    ma_heap_free(row.heap, row.middle);
    expect_one_free(row.heap, row.middle, 2);
}
END_TEST

START_TEST(merge_both)
{
    struct row_of_blocks row = make_row();
    ma_heap_free(row.heap, row.left);
    ma_heap_free(row.heap, row.right);
    ck_assert_uint_eq(ma_heap_stats(row.heap).free_blocks, 2);
    ma_heap_free(row.heap, row.middle);
    expect_one_free(row.heap, row.left, 3);
}
END_TEST

START_TEST(merge_first_block)
{
    struct row_of_blocks row = make_row();
    ma_heap_free(row.heap, row.left);
    ma_heap_free(row.heap, row.before); // nothing lies before it
    expect_one_free(row.heap, row.before, 2);
}
END_TEST

START_TEST(merge_stops_at_used_blocks)
{
    struct row_of_blocks row = make_row();
    fill(row.left, SIZE, 1);
    fill(row.right, SIZE, 2);
    ma_heap_free(row.heap, row.middle);
    ma_heap_free(row.heap, row.before);
    ck_assert_uint_eq(ma_heap_stats(row.heap).free_blocks, 2);
    ck_assert(is_filled(row.left, SIZE, 1) && is_filled(row.right, SIZE, 2));
    expect_sound(row.heap);
}
END_TEST

START_TEST(merge_last_block_with_the_top)
{
    struct ma_heap *heap = make_heap(65536);
    take(heap, SIZE);
    struct ma_stats before = ma_heap_stats(heap);
    ma_heap_free(heap, take(heap, SIZE));
    struct ma_stats after = ma_heap_stats(heap);
    ck_assert_uint_eq(after.free_blocks, 0);
    ck_assert(same_stats(&before, &after));
    expect_sound(heap);
}
END_TEST

START_TEST(merge_left_and_the_top)
{
    struct ma_heap *heap = make_heap(65536);
    struct ma_stats before = ma_heap_stats(heap);
    void *left = take(heap, SIZE);
    void *last = take(heap, SIZE);
    ma_heap_free(heap, left);
    expect_sound(heap);
    ma_heap_free(heap, last);
    struct ma_stats after = ma_heap_stats(heap);
    ck_assert(same_stats(&before, &after));
    expect_sound(heap);
}
END_TEST

START_TEST(scattered_frees_leave_an_empty_heap)
{
    enum { COUNT = 400 };
    void *blocks[COUNT];
    uint64_t random = 42;
    struct ma_heap *heap = make_heap(1 << 20);
    struct ma_stats empty = ma_heap_stats(heap);
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = take(heap, random_below(&random, 2000));
    for (size_t left = COUNT; left > 0; left--) {
        size_t chosen = random_below(&random, left);
        ma_heap_free(heap, blocks[chosen]);
        blocks[chosen] = blocks[left - 1];
        expect_sound(heap);
    }
    struct ma_stats after = ma_heap_stats(heap);
    ck_assert(same_stats(&empty, &after));
}
END_TEST

START_TEST(gap_before_an_aligned_block_merges)
{
    struct ma_heap *heap = make_heap(1 << 20);
    struct ma_stats empty = ma_heap_stats(heap);
    for (size_t alignment = 32; alignment <= 65536; alignment *= 2) {
        void *before = take(heap, 24);
        void *aligned = ma_heap_aligned_alloc(heap, alignment, 100);
        ck_assert_ptr_nonnull(aligned);
        expect_sound(heap);
        ma_heap_free(heap, aligned);
        ma_heap_free(heap, before);
        struct ma_stats after = ma_heap_stats(heap);
        ck_assert(same_stats(&empty, &after));
    }
}
END_TEST

// --- realloc in place ----------------------------------------------------------------------------

START_TEST(realloc_grows_into_the_top)
{
    struct ma_heap *heap = make_heap(1 << 20);
    take(heap, SIZE);
    char *block = take(heap, 100);
    for (size_t size = 101; size < 100000; size += 999) {
        fill(block, 100, 1);
        ck_assert_ptr_eq(ma_heap_realloc(heap, block, size), block);
        ck_assert(is_filled(block, 100, 1));
    }
    expect_sound(heap);
}
END_TEST

START_TEST(realloc_grows_into_a_free_neighbour)
{
    struct row_of_blocks row = make_row();
    fill(row.left, SIZE, 1);
    fill(row.right, SIZE, 2);
    ma_heap_free(row.heap, row.middle);
    ck_assert_ptr_eq(ma_heap_realloc(row.heap, row.left, SIZE + 500), row.left);
    ck_assert_uint_eq(ma_heap_stats(row.heap).free_blocks, 1); // the rest of it
    expect_sound(row.heap);
    ck_assert_ptr_eq(ma_heap_realloc(row.heap, row.left, 2 * BLOCK_SIZE - 8), row.left);
    ck_assert_uint_eq(ma_heap_stats(row.heap).free_blocks, 0);
    ck_assert(is_filled(row.left, SIZE, 1) && is_filled(row.right, SIZE, 2));
    expect_sound(row.heap);
}
END_TEST

START_TEST(realloc_moves_where_it_cannot_grow)
{
    struct ma_heap *heap = make_heap(65536);
    char *block = take(heap, SIZE);
    void *free_but_small = take(heap, 100);
    fill(take(heap, SIZE), SIZE, 2);
    ma_heap_free(heap, free_but_small);
    fill(block, SIZE, 1);
    char *moved = ma_heap_realloc(heap, block, 3 * SIZE);
    ck_assert(moved != NULL && moved != block && is_filled(moved, SIZE, 1));
    expect_sound(heap);
    ck_assert_ptr_eq(take(heap, SIZE + 100), block); // it and the small one are one block now
}
END_TEST

// The last block of a region that cannot grow.
START_TEST(realloc_moves_where_another_begins)
{
    struct ma_heap *heap = ma_heap_create(65536);
    char *block = take(heap, SIZE);
    fill(block, SIZE, 1);
    block_the_way(block);
    char *moved = ma_heap_realloc(heap, block, 100000);
    ck_assert(moved != NULL && is_filled(moved, SIZE, 1));
    ck_assert_uint_eq(ma_heap_stats(heap).live_blocks, 1);
    ck_assert_uint_eq(ma_heap_stats(heap).free_blocks, 1);
    expect_sound(heap);
}
END_TEST

START_TEST(shrinking_merges_the_rest)
{
    struct row_of_blocks row = make_row();
    ma_heap_free(row.heap, row.right);
    ck_assert_ptr_eq(ma_heap_realloc(row.heap, row.middle, 200), row.middle);
    struct ma_stats stats = ma_heap_stats(row.heap);
    ck_assert_uint_eq(stats.free_blocks, 1);
    ck_assert_uint_ge(stats.largest_free, 2 * SIZE - 208);
    expect_sound(row.heap);
}
END_TEST

void add_coalesce_rows(void)
{
    add_loop_row(three_neighbours_in_any_order, 6);
    add_row(merge_left);
    add_row(merge_right);
    add_row(merge_both);
    add_row(merge_first_block);
    add_row(merge_last_block_with_the_top);
    add_row(merge_left_and_the_top);
    add_row(merge_stops_at_used_blocks);
    add_row(scattered_frees_leave_an_empty_heap);
    add_row(gap_before_an_aligned_block_merges);
    add_row(realloc_grows_into_the_top);
    add_row(realloc_grows_into_a_free_neighbour);
    add_row(realloc_moves_where_it_cannot_grow);
    add_row(realloc_moves_where_another_begins);
    add_row(shrinking_merges_the_rest);
}
