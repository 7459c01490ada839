// What the thread cache adds (stage 5): small blocks of the default heap come and go without the
// mutex. A build with -DMA_THREAD_CACHE=0 has none of this: CK_EXCLUDE_TAGS=cache.

#include "suite.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 100, HEADER_SIZE = 8, STATE = 6 };

static struct ma_stats stats(void)
{
    return ma_heap_stats(ma_default_heap());
}

START_TEST(cached_blocks_are_neither_live_nor_free)
{
    void *block = ma_malloc(SIZE);
    ck_assert_ptr_nonnull(block);
    struct ma_stats before = stats();
    ma_free(block);
    struct ma_stats after = stats();
    ck_assert_uint_eq(after.live_blocks, before.live_blocks - 1);
    ck_assert_uint_eq(after.free_blocks, before.free_blocks);
    ck_assert_uint_eq(after.cached_blocks, before.cached_blocks + 1);
    ck_assert_uint_ge(after.cached_bytes, before.cached_bytes + SIZE);
    expect_sound(ma_default_heap());
}
END_TEST

START_TEST(cached_block_is_reused_first)
{
    void *first = ma_malloc(SIZE);
    void *second = ma_malloc(SIZE);
    ma_free(first);
    ma_free(second);
    ck_assert_ptr_eq(ma_malloc(SIZE), second);
    ck_assert_ptr_eq(ma_malloc(SIZE), first);
}
END_TEST

START_TEST(large_blocks_are_not_cached)
{
    void *block = ma_malloc(5000);
    size_t before = stats().cached_blocks;
    ma_free(block);
    ck_assert_uint_eq(stats().cached_blocks, before);
    struct ma_heap *own = make_heap(65536);
    ma_heap_free(own, take(own, SIZE));
    ck_assert_uint_eq(ma_heap_stats(own).cached_blocks, 0); // nor are those of heaps of one's own
}
END_TEST

START_TEST(cache_is_bounded)
{
    enum { COUNT = 20000 };
    static void *blocks[COUNT];
    struct ma_stats before = stats();
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_ptr_nonnull(blocks[i] = ma_malloc(i % 200));
    for (size_t i = 0; i < COUNT; i++)
        ma_free(blocks[i]);
    struct ma_stats after = stats();
    ck_assert_uint_eq(after.live_blocks, before.live_blocks);
    ck_assert_uint_gt(after.cached_bytes, 0);
    ck_assert_uint_le(after.cached_bytes, 14 * 2 * 8192); // 13 sizes, with some to spare
    expect_sound(ma_default_heap());
}
END_TEST

// --- without the mutex ---------------------------------------------------------------------------

static int walk_has_begun[2], walk_may_end[2]; // pipes

static bool hold_the_mutex(const struct ma_block *block, void *context)
{
    char byte;
    (void)block;
    (void)context;
    return write(walk_has_begun[1], "", 1) != 1 || read(walk_may_end[0], &byte, 1) != 1;
}

static void *walk(void *unused)
{
    (void)unused;
    ma_heap_walk(ma_default_heap(), hold_the_mutex, NULL); // it stops at the first block
    return NULL;
}

// While another thread is within ma_heap_walk, which holds the mutex, this one takes and frees.
// If it needed the mutex it would wait for ever, and check would end the test.
START_TEST(recently_used_sizes_need_no_mutex)
{
    char byte;
    pthread_t walker;
    void *block = ma_malloc(SIZE);
    ck_assert_ptr_nonnull(block);
    ma_free(block);
    ck_assert(pipe(walk_has_begun) == 0 && pipe(walk_may_end) == 0);
    ck_assert_int_eq(pthread_create(&walker, NULL, walk, NULL), 0);
    ck_assert_int_eq(read(walk_has_begun[0], &byte, 1), 1);
    for (int i = 0; i < 1000; i++) {
        void *again = ma_malloc(SIZE);
        if (again != block)
            ck_abort_msg("%p instead of the cached %p", again, block);
        ma_free(again);
    }
    ck_assert_int_eq(write(walk_may_end[1], "", 1), 1);
    pthread_join(walker, NULL);
    expect_sound(ma_default_heap());
}
END_TEST

// --- misuse --------------------------------------------------------------------------------------

START_TEST(write_after_free_into_a_cached_block)
{
    unsigned char *block = ma_malloc(SIZE);
    ma_set_misuse_handler(note_message);
    ma_free(block);
    memset(block, 0x41, 8); // its link
    unsigned char *other = ma_malloc(SIZE);
    expect_message(block, "ma_malloc", "freed block overwritten");
    ck_assert(other != NULL && other != block);
    fill(other, SIZE, 1);
    ma_free(other);
    ma_set_misuse_handler(NULL);
    expect_sound(ma_default_heap());
}
END_TEST

// _i is a byte of the header: of the size, the check or the state.
START_TEST(cached_header_overwritten)
{
    unsigned char *block = ma_malloc(SIZE);
    ck_assert_ptr_nonnull(block);
    ma_set_misuse_handler(note_message);
    ma_free(block);
    block[_i - HEADER_SIZE] ^= MA_BLOCK_CACHED; // a state becomes MA_BLOCK_USED
    unsigned char *other = ma_malloc(SIZE);
    expect_message(block, "ma_malloc", "freed block overwritten");
    ck_assert(other != NULL && other != block);
    block[_i - HEADER_SIZE] ^= MA_BLOCK_CACHED;
    ma_set_misuse_handler(NULL);
    expect_sound(ma_default_heap());
}
END_TEST

// Takes blocks that lie side by side, overflows the first and frees it; then some more, if any.
// The first goes back to the heap when two magazines hold more, or when the thread ends.
enum { OVERFLOW_BLOCKS = 200 };
static unsigned char *overflow_blocks[OVERFLOW_BLOCKS];

static void *overflow_into_a_header(void *count)
{
    unsigned char **blocks = overflow_blocks;
    for (int i = 0; i < OVERFLOW_BLOCKS; i++)
        blocks[i] = ma_malloc(SIZE);
    blocks[1][-HEADER_SIZE] ^= 0x10;
    ma_free(blocks[0]);
    for (int i = 2; i < *(int *)count; i++)
        ma_free(blocks[i]);
    return NULL;
}

static void expect_overflow(void)
{
    ck_assert_uint_lt((uintptr_t)overflow_blocks[1] - (uintptr_t)overflow_blocks[0], SIZE + 32);
    expect_message(overflow_blocks[0], "ma_free", "overflow: the next header is overwritten");
    overflow_blocks[1][-HEADER_SIZE] ^= 0x10;
    expect_sound(ma_default_heap());
}

START_TEST(overflow_of_a_cached_block)
{
    int count = _i == 0 ? 0 : OVERFLOW_BLOCKS;
    ma_set_misuse_handler(note_message);
    pthread_t thread;
    if (_i == 0) {
        ck_assert_int_eq(pthread_create(&thread, NULL, overflow_into_a_header, &count), 0);
        pthread_join(thread, NULL);
    } else {
        overflow_into_a_header(&count);
    }
    ma_set_misuse_handler(NULL);
    expect_overflow();
}
END_TEST

// The state and the link of a cached block, changed by hand.
START_TEST(i8_thread_cache)
{
    static const char text[] =
        "I8: this thread's cache holds cached blocks, each in the bin of its size";
    unsigned char *cached = ma_malloc(SIZE);
    ck_assert_ptr_nonnull(cached);
    ma_free(cached);
    expect_sound(ma_default_heap());
    cached[STATE - HEADER_SIZE] = MA_BLOCK_USED;
    ck_assert_pstr_eq(ma_heap_check(ma_default_heap()), text);
    cached[STATE - HEADER_SIZE] = MA_BLOCK_CACHED;
    expect_sound(ma_default_heap());
    cached[0] ^= 0x20;
    ck_assert_pstr_eq(ma_heap_check(ma_default_heap()), text);
    cached[0] ^= 0x20;
    expect_sound(ma_default_heap());
}
END_TEST

void add_cache_rows(void)
{
    add_row(cached_blocks_are_neither_live_nor_free);
    add_row(cached_block_is_reused_first);
    add_row(large_blocks_are_not_cached);
    add_row(cache_is_bounded);
    add_row(recently_used_sizes_need_no_mutex);
    add_row(write_after_free_into_a_cached_block);
    add_loop_row(cached_header_overwritten, 7);
    add_loop_row(overflow_of_a_cached_block, 2);
    add_row(i8_thread_cache);
}
