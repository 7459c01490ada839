// What bins and splitting add (stage 3): the smallest block that fits, no more of it than asked
// for, at a cost that does not grow.

#include "suite.h"

#include <time.h>

START_TEST(small_requests_from_one_large_block)
{
    struct ma_heap *heap = make_heap(65536);
    void *large = take(heap, 40000);
    exhaust(heap);
    ma_heap_free(heap, large);
    for (unsigned i = 0; i < 100; i++)
        fill(take(heap, 300), 300, i);
    expect_sound(heap);
}
END_TEST

START_TEST(split_leaves_the_rest_free)
{
    struct ma_heap *heap = make_heap(65536);
    char *large = take(heap, 1000);
    take(heap, 10);
    ma_heap_free(heap, large);
    size_t header = ma_heap_stats(heap).header_bytes;
    ck_assert_ptr_eq(take(heap, 200), large);
    struct ma_stats stats = ma_heap_stats(heap);
    ck_assert_uint_eq(stats.free_blocks, 1);
    ck_assert(stats.free_bytes >= 700 && stats.free_bytes <= 800);
    ck_assert_uint_gt(stats.header_bytes, header);
    expect_sound(heap);
}
END_TEST

// What is left must hold a block; otherwise the request keeps it.
START_TEST(rest_too_small_stays_with_the_block)
{
    struct ma_heap *heap = make_heap(65536);
    void *block = take(heap, 120); // a block of 128 bytes
    take(heap, 10);
    ma_heap_free(heap, block);
    ck_assert_ptr_eq(take(heap, 104), block); // 112 would leave 16
    ck_assert_uint_eq(ma_heap_stats(heap).free_blocks, 0);
    ck_assert_uint_ge(ma_heap_usable_size(heap, block), 104);
    ma_heap_free(heap, block);
    ck_assert_ptr_eq(take(heap, 88), block); // 96 leaves 32
    ck_assert_uint_eq(ma_heap_stats(heap).free_blocks, 1);
    expect_sound(heap);
}
END_TEST

START_TEST(shrinking_frees_the_rest)
{
    struct ma_heap *heap = make_heap(65536);
    char *block = take(heap, 1000);
    take(heap, 10);
    fill(block, 1000, 1);
    ck_assert_ptr_eq(ma_heap_realloc(heap, block, 100), block);
    ck_assert(is_filled(block, 100, 1));
    struct ma_stats stats = ma_heap_stats(heap);
    ck_assert(stats.free_blocks == 1 && stats.free_bytes >= 800);
    expect_sound(heap);
}
END_TEST

START_TEST(aligned_alloc_reuses_freed_memory)
{
    struct ma_heap *heap = make_heap(1 << 20);
    void *large = take(heap, 300000);
    exhaust(heap);
    ma_heap_free(heap, large);
    for (size_t alignment = 32; alignment <= 65536; alignment *= 2) {
        void *block = ma_heap_aligned_alloc(heap, alignment, 100);
        if (block == NULL || !is_aligned(block, alignment))
            ck_abort_msg("no 100 bytes aligned to %zu in a free block", alignment);
        expect_sound(heap);
    }
}
END_TEST

START_TEST(aligned_block_is_no_larger_than_asked)
{
    struct ma_heap *heap = make_heap(1 << 20);
    for (size_t alignment = 32; alignment <= 65536; alignment *= 2) {
        void *block = ma_heap_aligned_alloc(heap, alignment, 100);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_ge(ma_heap_usable_size(heap, block), 100);
        ck_assert_uint_lt(ma_heap_usable_size(heap, block), 100 + 32);
    }
}
END_TEST

// --- best fit ------------------------------------------------------------------------------------

enum { CHOICES = 6 };
static const size_t choices[CHOICES] = {500, 900, 300, 700, 400, 600};

// Frees one block of each size, beginning with choices[first], and wants the best for 290 bytes.
// No other order of search gives it in every case: not first fit, last fit or worst fit.
START_TEST(smallest_fitting_block_wins)
{
    struct ma_heap *heap = make_heap(65536);
    void *blocks[CHOICES];
    for (size_t i = 0; i < CHOICES; i++) {
        blocks[i] = take(heap, choices[i]);
        take(heap, 10);
    }
    for (size_t i = 0; i < CHOICES; i++)
        ma_heap_free(heap, blocks[(i + (size_t)_i) % CHOICES]);
    ck_assert_ptr_eq(take(heap, 290), blocks[2]); // 300
    ck_assert_ptr_eq(take(heap, 390), blocks[4]); // 400
    ck_assert_ptr_eq(take(heap, 590), blocks[5]); // 600
    expect_sound(heap);
}
END_TEST

// The two blocks are of one bin and 16 bytes apart; each is once the one freed last.
START_TEST(smallest_of_one_bin_wins)
{
    for (int order = 0; order < 2; order++) {
        struct ma_heap *heap = make_heap(1 << 20);
        void *smaller = take(heap, 40000);
        take(heap, 10);
        void *larger = take(heap, 40016);
        take(heap, 10);
        ma_heap_free(heap, order == 0 ? smaller : larger);
        ma_heap_free(heap, order == 0 ? larger : smaller);
        ck_assert_ptr_eq(take(heap, 39990), smaller);
        ck_assert_ptr_eq(take(heap, 39990), larger);
        expect_sound(heap);
    }
}
END_TEST

// Frees a block of one size, and then so many smaller ones: they are found first. Whoever asks for the
// first one's size still gets it.
static void expect_found_behind(size_t size, size_t count, size_t smaller)
{
    enum { MANY = 40 };
    void *before[MANY];
    struct ma_heap *heap = make_heap(1 << 20);
    void *wanted = take(heap, size);
    for (size_t i = 0; i < count; i++) {
        take(heap, 10);
        before[i] = take(heap, smaller);
    }
    take(heap, 10);
    ma_heap_free(heap, wanted);
    for (size_t i = 0; i < count; i++)
        ma_heap_free(heap, before[i]);
    ck_assert_ptr_eq(take(heap, size), wanted);
    expect_sound(heap);
}

START_TEST(block_behind_smaller_ones_is_found)
{
    expect_found_behind(2088, 25, 2040); // blocks of 2096 and 2048 bytes share a bin
    expect_found_behind(2104, 40, 2040); // 2112 bytes have another
}
END_TEST

enum { BLOCKS_MAX = 1000, LIVE = 60, STEPS = 3000 };

static size_t capacity_of(const struct ma_block *block)
{
    return block->size - (size_t)((const char *)block->payload - (const char *)block->address);
}

// Takes a block and fails unless, of all free blocks that a walk shows before, it is the smallest
// that is large enough, or one of its size. Counts how often there is such a block.
static void *take_as_oracle(struct ma_heap *heap, size_t size, int *reused)
{
    static struct ma_block blocks[BLOCKS_MAX];
    size_t count = list_blocks(heap, blocks, BLOCKS_MAX);
    ck_assert_uint_le(count, BLOCKS_MAX);
    void *payload = take(heap, size);
    size_t best = 0;
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++) {
        size_t capacity = capacity_of(&blocks[i]);
        if (blocks[i].state != MA_BLOCK_FREE || capacity < size)
            continue;
        best = best == 0 || capacity < best ? capacity : best;
        chosen = blocks[i].payload == payload ? capacity : chosen;
    }
    if (chosen != best)
        ck_abort_msg("for %zu bytes a free block of %zu was taken, the best has %zu (0: none)",
                     size, chosen, best);
    *reused += best != 0;
    return payload;
}

// So few blocks that every bin is short enough to be searched whole.
START_TEST(best_fit_as_an_oracle_says)
{
    uint64_t random = run_seed() + (uint64_t)_i;
    struct ma_heap *heap = make_heap(1 << 20);
    void *live[LIVE] = {NULL};
    int reused = 0;
    for (int step = 0; step < STEPS; step++) {
        size_t slot = random_below(&random, LIVE);
        size_t bound = (size_t)32 << random_below(&random, 8);
        if (live[slot] != NULL) {
            ma_heap_free(heap, live[slot]);
            live[slot] = NULL;
        } else {
            live[slot] = take_as_oracle(heap, random_below(&random, bound), &reused);
        }
    }
    ck_assert_int_gt(reused, STEPS / 10);
    expect_sound(heap);
}
END_TEST

// --- cost ----------------------------------------------------------------------------------------

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// Free blocks of some sizes, and a request that none of them can serve.
struct crowd {
    size_t smallest; // bytes of payload
    size_t sizes; // how many different ones, 16 bytes apart
    size_t request;
};

// Seconds for one such request beside count free blocks, in the best of some rounds.
static double cost_beside(size_t count, const struct crowd *crowd)
{
    enum { ROUNDS = 20, REQUESTS = 20 };
    struct ma_heap *heap = make_heap(1 << 26);
    void **blocks = make_memory(count * sizeof *blocks);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = take(heap, crowd->smallest + i % crowd->sizes * 16);
        take(heap, 10);
    }
    for (size_t i = 0; i < count; i++)
        ma_heap_free(heap, blocks[i]);
    double best = 1;
    for (int round = 0; round < ROUNDS; round++) {
        double before = seconds();
        for (int i = 0; i < REQUESTS; i++)
            take(heap, crowd->request);
        double cost = (seconds() - before) / REQUESTS;
        best = cost < best ? cost : best;
    }
    return best;
}

static void expect_bounded_cost(size_t many, const struct crowd *crowd)
{
    double cost_few = cost_beside(100, crowd);
    double cost_many = cost_beside(many, crowd);
    if (cost_many > 50 * cost_few)
        ck_abort_msg("%.0f ns beside 100 free blocks, %.0f ns beside %zu", cost_few * 1e9,
                     cost_many * 1e9, many);
}

START_TEST(cost_does_not_grow_with_free_blocks)
{
    expect_bounded_cost(50000, &(struct crowd){.smallest = 8, .sizes = 4, .request = 1000});
}
END_TEST

// Blocks of 2048, 2064 and 2080 bytes are of one bin with the 2096 that are wanted.
START_TEST(cost_does_not_grow_within_a_bin)
{
    expect_bounded_cost(20000, &(struct crowd){.smallest = 2040, .sizes = 3, .request = 2088});
}
END_TEST

void add_bestfit_rows(void)
{
    add_row(small_requests_from_one_large_block);
    add_row(split_leaves_the_rest_free);
    add_row(rest_too_small_stays_with_the_block);
    add_row(shrinking_frees_the_rest);
    add_row(aligned_alloc_reuses_freed_memory);
    add_row(aligned_block_is_no_larger_than_asked);
    add_loop_row(smallest_fitting_block_wins, CHOICES);
    add_row(smallest_of_one_bin_wins);
    add_row(block_behind_smaller_ones_is_found);
    add_loop_row(best_fit_as_an_oracle_says, 3);
    add_row(cost_does_not_grow_with_free_blocks);
    add_row(cost_does_not_grow_within_a_bin);
}
