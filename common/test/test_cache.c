// What the thread cache adds (stage 5): small blocks of the default heap come and go without the
// mutex. A build with -DMA_THREAD_CACHE=0 has none of this: CK_EXCLUDE_TAGS=cache.

#include "suite.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
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

// A request that a size class serves exactly is given that class.
START_TEST(cached_blocks_are_no_larger_than_asked)
{
    for (size_t bytes = 64; bytes <= 8192; bytes *= 2) {
        void *block = ma_malloc(bytes - HEADER_SIZE);
        ck_assert_uint_eq(ma_usable_size(block), bytes - HEADER_SIZE);
    }
}
END_TEST

START_TEST(large_blocks_are_not_cached)
{
    for (int i = 0; i < 3; i++) // now there is a cache, and both magazines of a size were filled
        ck_assert_ptr_nonnull(ma_malloc(1));
    ma_malloc(SIZE);
    size_t before = stats().cached_blocks;
    void *block = ma_malloc(8185); // its block has 8208 bytes; those of 8192 are cached
    ma_malloc(2 * SIZE); // and this does not find the cache in disorder
    ck_assert_uint_gt(stats().cached_blocks, before);
    before = stats().cached_blocks;
    ma_free(block);
    ck_assert_uint_eq(stats().cached_blocks, before);
    expect_sound(ma_default_heap());
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

static void use_many(size_t size, size_t count)
{
    static void *blocks[2000];
    for (size_t i = 0; i < count; i++)
        ck_assert_ptr_nonnull(blocks[i] = ma_malloc(size));
    for (size_t i = 0; i < count; i++)
        ma_free(blocks[i]);
}

// Of all sizes together a thread keeps 1 MiB at most, and not much less when it has used them all. What
// it uses then, it caches as before.
START_TEST(cache_of_many_sizes_is_bounded)
{
    for (int round = 0; round < 2; round++)
        for (size_t size = 24; size < 8192; size += size < 1024 ? 16 : size / 32)
            for (int i = 0; i < 8; i++)
                use_many(size, 1 + 16384 / size);
    ck_assert_uint_le(stats().cached_bytes, 1 << 20);
    ck_assert_uint_ge(stats().cached_bytes, 3 << 18);
    expect_sound(ma_default_heap());
    use_many(SIZE, 2000);
    use_many(200, 2000);
    ck_assert_uint_ge(stats().cached_bytes, 2 * 8000);
}
END_TEST

// Frees so much in such an order that hardly anything is used, and too much is idle: what is cached
// holds its pages.
static void cause_an_ebb(void)
{
    enum { COUNT = 160000, STRIDE = 70001 };
    static void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = ma_malloc(i % 1000);
    for (size_t i = 0; i < COUNT; i++)
        ma_free(blocks[i * STRIDE % COUNT]);
}

// What is left then is in few free blocks: none of them lies between two cached ones. _i is 1: in two
// regions.
START_TEST(caches_of_a_nearly_empty_heap_go_back)
{
    if (_i == 1)
        block_the_way(ma_malloc(SIZE));
    cause_an_ebb();
    ck_assert_uint_lt(stats().free_blocks, 1200);
    expect_sound(ma_default_heap());
}
END_TEST

// Of blocks of 5000 bytes each second one is freed: half of the heap is idle, and used.
START_TEST(cache_of_a_half_used_heap_stays)
{
    enum { COUNT = 8000 };
    static void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_ptr_nonnull(blocks[i] = ma_malloc(5000));
    void *cached = ma_malloc(SIZE);
    ma_free(cached);
    for (size_t i = 0; i < COUNT; i += 2)
        ma_free(blocks[i]);
    ck_assert_ptr_eq(ma_malloc(SIZE), cached);
    expect_sound(ma_default_heap());
}
END_TEST

// What a thread keeps of a size that it has used a lot: two magazines of 8 KiB at most, and no less
// than one. So too when the heap was nearly empty once.
START_TEST(magazines_hold_8_kib)
{
    enum { COUNT = 2000, BLOCK = 112, MAGAZINE = 8192 / BLOCK };
    static void *blocks[COUNT];
    if (_i == 1)
        cause_an_ebb();
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_ptr_nonnull(blocks[i] = ma_malloc(SIZE));
    size_t before = stats().cached_blocks;
    for (size_t i = 0; i < COUNT; i++)
        ma_free(blocks[i]);
    size_t kept = stats().cached_blocks;
    ck_assert_uint_ge(kept, MAGAZINE);
    ck_assert_uint_le(kept, before + 2 * MAGAZINE);
    expect_sound(ma_default_heap());
}
END_TEST

// And of sizes that it has used once: about as much again.
START_TEST(rare_sizes_keep_little)
{
    struct ma_stats before = stats();
    for (size_t size = 24; size < 1024; size += 16)
        ck_assert_ptr_nonnull(ma_malloc(size));
    struct ma_stats after = stats();
    ck_assert_uint_le(after.cached_bytes - before.cached_bytes,
                      after.live_bytes - before.live_bytes);
    expect_sound(ma_default_heap());
}
END_TEST

// A block that shrinks gives back what it no longer needs, though its thread could keep it.
START_TEST(shrinking_small_blocks_gives_back)
{
    for (size_t size = 100; size < 4096; size += 100) {
        void *block = ma_malloc(size);
        ck_assert_ptr_nonnull(block);
        ck_assert_ptr_eq(ma_realloc(block, size / 2), block);
        ck_assert_uint_ge(ma_usable_size(block), size / 2);
        ck_assert_uint_le(ma_usable_size(block), size / 2 + 48);
    }
    expect_sound(ma_default_heap());
}
END_TEST

// --- exhaustion ----------------------------------------------------------------------------------

// No more memory for the process, and of the region's about `room` bytes.
static bool leave_room(size_t room)
{
    const struct rlimit nothing = {0, 0};
    if (setrlimit(RLIMIT_AS, &nothing) != 0)
        return false;
    for (size_t size = (size_t)1 << 26; size > 5000; size = size * 3 / 4)
        while (stats().top_bytes > size + room && ma_malloc(size) != NULL) {
        }
    return stats().top_bytes < 3 * room;
}

// Fails if of so many blocks one changed: two blocks overlap.
static bool all_filled(unsigned char **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_filled(blocks[i], SIZE, (unsigned)i))
            return false;
    return true;
}

static int take_the_last_blocks(void *unused)
{
    enum { COUNT = 1000, ROOM = 5000 };
    static unsigned char *blocks[COUNT];
    (void)unused;
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = ma_malloc(SIZE); // so that the magazines are large
    struct ma_stats before = stats();
    for (; before.cached_blocks != 0 && ma_malloc(SIZE) != NULL; before = stats()) {
    }
    if (!leave_room(ROOM))
        return 1;
    size_t count = 0;
    while (count < COUNT && (blocks[count] = ma_malloc(SIZE)) != NULL) {
        fill(blocks[count], SIZE, (unsigned)count);
        count++;
        if (ma_heap_check(ma_default_heap()) != NULL)
            return 2;
    }
    struct ma_stats after = stats();
    if (count < ROOM / 112 || count == COUNT || after.cached_blocks != 0 || after.top_bytes >= 112)
        return 3;
    return all_filled(blocks, count) ? 0 : 4;
}

// The heap has less than a magazine wants: all there is is handed out, each block once.
START_TEST(magazine_filled_in_part)
{
    struct outcome outcome = run_in_child(take_the_last_blocks, NULL);
    expect_exit_0(&outcome, "the last blocks of a heap that cannot grow");
}
END_TEST

static int free_without_a_cache(void *block)
{
    const struct rlimit nothing = {0, 0};
    if (setrlimit(RLIMIT_AS, &nothing) != 0)
        return 1;
    errno = ERANGE;
    ma_free(block);
    return errno == ERANGE ? 0 : 2;
}

// The system refuses the memory for this thread's cache.
START_TEST(free_without_a_cache_leaves_errno_alone)
{
    void *block = ma_aligned_alloc(64, SIZE); // from the heap: the thread has no cache yet
    ck_assert_ptr_nonnull(block);
    struct outcome outcome = run_in_child(free_without_a_cache, block);
    expect_exit_0(&outcome, "the first free of a thread, with RLIMIT_AS 0");
}
END_TEST

static int begin_without_a_cache(void *unused)
{
    (void)unused;
    struct rlimit limit;
    void *block = ma_aligned_alloc(64, SIZE); // from the heap
    if (block == NULL || getrlimit(RLIMIT_AS, &limit) != 0)
        return 1;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 2;
    ma_free(block);
    limit.rlim_cur = before;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 3;
    for (int i = 0; i < 10; i++)
        ma_free(ma_malloc(SIZE));
    return stats().cached_blocks == 0 ? 0 : 4;
}

// A thread whose cache is refused does without: each try would be a system call.
START_TEST(refused_cache_is_not_asked_for_again)
{
    struct outcome outcome = run_in_child(begin_without_a_cache, NULL);
    expect_exit_0(&outcome, "a thread that began with RLIMIT_AS 0");
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
static pthread_t walker;

static void let_another_hold_the_mutex(void)
{
    char byte;
    ck_assert(pipe(walk_has_begun) == 0 && pipe(walk_may_end) == 0);
    ck_assert_int_eq(pthread_create(&walker, NULL, walk, NULL), 0);
    ck_assert_int_eq(read(walk_has_begun[0], &byte, 1), 1);
}

static void let_it_go(void)
{
    ck_assert_int_eq(write(walk_may_end[1], "", 1), 1);
    pthread_join(walker, NULL);
    expect_sound(ma_default_heap());
}

START_TEST(recently_used_sizes_need_no_mutex)
{
    static const size_t sizes[] = {0, 25, 100, 1000, 4088, 8184};
    size_t size = sizes[_i];
    void *block = ma_malloc(size);
    ck_assert_ptr_nonnull(block);
    ma_free(block);
    let_another_hold_the_mutex();
    for (int i = 0; i < 1000; i++) {
        void *again = ma_malloc(size);
        if (again != block || ma_usable_size(again) < size)
            ck_abort_msg("%p instead of the cached %p", again, block);
        ma_free(again);
    }
    let_it_go();
}
END_TEST

// Blocks of 528 bytes, of which one in eight is aligned to 128.
enum { ALIGNED = 520 };

// Frees a block that is aligned, and after it two that are not.
static void *free_an_aligned_block(void)
{
    void *blocks[4], *freed[2];
    int count = 0;
    for (int i = 0; i < 4; i++)
        blocks[i] = ma_malloc(ALIGNED);
    void *aligned = ma_aligned_alloc(128, ALIGNED);
    for (int i = 0; i < 4 && count < 2; i++)
        if (!is_aligned(blocks[i], 128))
            freed[count++] = blocks[i];
    ck_assert_int_eq(count, 2);
    ma_free(aligned);
    ma_free(freed[0]);
    ma_free(freed[1]);
    return aligned;
}

START_TEST(aligned_blocks_need_no_mutex)
{
    use_many(ALIGNED, 100); // the magazines have room for all
    void *aligned = free_an_aligned_block();
    let_another_hold_the_mutex();
    for (int i = 0; i < 10; i++) {
        ck_assert_ptr_eq(ma_aligned_alloc(128, ALIGNED), aligned);
        ma_free(aligned);
    }
    let_it_go();
}
END_TEST

// What malloc aligns to anyway comes from the cache as malloc's does, and fills it.
START_TEST(small_alignments_are_cached)
{
    size_t before = stats().cached_blocks;
    ck_assert_ptr_nonnull(ma_aligned_alloc(16, ALIGNED));
    ck_assert_uint_gt(stats().cached_blocks, before);
}
END_TEST

// Though a block is cached that would fit.
START_TEST(bad_alignments_of_cached_blocks)
{
    void *block = ma_malloc(ALIGNED);
    while (!is_aligned(block, 80)) // one in five
        ck_assert_ptr_nonnull(block = ma_malloc(ALIGNED));
    ma_free(block);
    for (size_t alignment = 0; alignment <= 80; alignment += 80) {
        errno = 0;
        ck_assert_ptr_null(ma_aligned_alloc(alignment, ALIGNED));
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

// Only the spare magazine holds one: the loaded one is empty.
START_TEST(aligned_block_in_the_spare_magazine)
{
    void *blocks[8];
    for (int i = 0; i < 8; i++)
        ck_assert_ptr_nonnull(blocks[i] = ma_malloc(ALIGNED));
    free_an_aligned_block(); // the magazines have room for 4 blocks, and both were empty
    for (int i = 0; i < 5; i++)
        ma_free(blocks[i]);
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(ma_malloc(ALIGNED));
    let_another_hold_the_mutex();
    ck_assert_ptr_nonnull(ma_aligned_alloc(128, ALIGNED));
    let_it_go();
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

static void *freed_by_handler;

static void free_in_handler(const char *message)
{
    void *block = freed_by_handler;
    freed_by_handler = NULL;
    note_message(message);
    ma_free(block);
}

// Frees a block, writes into it, and has the handler free another of its size.
static void *prepare_misuse(void)
{
    void *block = ma_malloc(SIZE);
    void *other = freed_by_handler = ma_malloc(SIZE);
    ck_assert(block != NULL && other != NULL);
    ma_free(block);
    memset(block, 0x41, 8);
    ma_set_misuse_handler(free_in_handler);
    return other;
}

// The overwritten block is found when the magazine is filled: no more blocks are wanted then.
START_TEST(handler_frees_into_the_cache)
{
    void *other = prepare_misuse();
    ck_assert_ptr_eq(ma_malloc(SIZE), other);
    ck_assert_int_eq(message_count, 1);
    ma_set_misuse_handler(NULL);
    expect_sound(ma_default_heap());
}
END_TEST

static bool is_not_cached(const struct ma_block *block, void *payload)
{
    return block->payload != payload || block->state != MA_BLOCK_CACHED;
}

// It is found when all magazines are emptied: what the handler frees then, is not cached.
START_TEST(handler_frees_into_an_emptied_cache)
{
    void *other = prepare_misuse();
    for (size_t size = 200; message_count == 0 && size < 8192; size += size < 1024 ? 16 : size / 32)
        for (int i = 0; message_count == 0 && i < 8; i++)
            use_many(size, 1 + 16384 / size);
    ck_assert_int_eq(message_count, 1);
    ma_set_misuse_handler(NULL);
    expect_sound(ma_default_heap());
    ck_assert(ma_heap_walk(ma_default_heap(), is_not_cached, other));
    use_many(SIZE, 100);
    ck_assert_uint_gt(stats().cached_blocks, 10);
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
    block[_i - HEADER_SIZE] ^= MA_BLOCK_CACHED ^ MA_BLOCK_USED; // a state becomes MA_BLOCK_USED
    unsigned char *other = ma_malloc(SIZE);
    expect_message(block, "ma_malloc", "freed block overwritten");
    ck_assert(other != NULL && other != block);
    block[_i - HEADER_SIZE] ^= MA_BLOCK_CACHED ^ MA_BLOCK_USED;
    ma_set_misuse_handler(NULL);
    expect_sound(ma_default_heap());
}
END_TEST

static void *flushed_blocks[200];

static void *free_and_end(void *last_first)
{
    for (size_t i = 0; i < 200; i++)
        ma_free(flushed_blocks[last_first == NULL ? i : 199 - i]);
    return NULL;
}

// The blocks lie in a row and became one free block, or part of the top: none of them is live.
START_TEST(double_free_after_the_cache_was_emptied)
{
    pthread_t thread;
    for (size_t i = 0; i < 200; i++)
        ck_assert_ptr_nonnull(flushed_blocks[i] = ma_malloc(SIZE));
    if (_i == 1)
        ck_assert_ptr_nonnull(ma_malloc(5000)); // no free block merges with the top
    void *last_first = _i == 2 ? &thread : NULL;
    ck_assert_int_eq(pthread_create(&thread, NULL, free_and_end, last_first), 0);
    pthread_join(thread, NULL);
    ma_set_misuse_handler(note_message);
    for (size_t i = 0; i < 200; i++) {
        ma_free(flushed_blocks[i]);
        expect_message(flushed_blocks[i], "ma_free", "double free");
    }
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

// All blocks of both magazines, one after the other.
START_TEST(i8_both_magazines)
{
    enum { COUNT = 500 };
    static unsigned char *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_ptr_nonnull(blocks[i] = ma_malloc(SIZE));
    for (size_t i = 0; i < COUNT; i++)
        ma_free(blocks[i]);
    for (size_t i = 0; i < COUNT; i++) {
        if (blocks[i][STATE - HEADER_SIZE] != MA_BLOCK_CACHED)
            continue;
        blocks[i][STATE - HEADER_SIZE] = MA_BLOCK_USED;
        const char *broken = ma_heap_check(ma_default_heap());
        blocks[i][STATE - HEADER_SIZE] = MA_BLOCK_CACHED;
        if (broken == NULL || strncmp(broken, "I8:", 3) != 0)
            ck_abort_msg("block %zu is in use, and in a magazine", i);
    }
    expect_sound(ma_default_heap());
}
END_TEST

// Two cached blocks and the header of one that was as long as both, and began where the first begins.
START_TEST(i8_block_of_another_size)
{
    enum { SIZE_AND_CHECK = 6, TWICE = 2 * 112 - HEADER_SIZE };
    unsigned char header[SIZE_AND_CHECK];
    unsigned char *twice = take(ma_default_heap(), TWICE); // whatever is cached
    memcpy(header, twice - HEADER_SIZE, SIZE_AND_CHECK);
    ma_heap_free(ma_default_heap(), twice);
    ck_assert_ptr_eq(ma_malloc(SIZE), twice);
    ma_free(twice);
    expect_sound(ma_default_heap());
    memcpy(twice - HEADER_SIZE, header, SIZE_AND_CHECK);
    ck_assert_pstr_eq(ma_heap_check(ma_default_heap()),
                      "I8: this thread's cache holds cached blocks, each in the bin of its size");
}
END_TEST

void add_cache_rows(void)
{
    add_row(cached_blocks_are_neither_live_nor_free);
    add_row(cached_block_is_reused_first);
    add_row(cached_blocks_are_no_larger_than_asked);
    add_row(large_blocks_are_not_cached);
    add_row(cache_is_bounded);
    add_row(cache_of_many_sizes_is_bounded);
    add_loop_row(caches_of_a_nearly_empty_heap_go_back, 2);
    add_row(cache_of_a_half_used_heap_stays);
    add_loop_row(magazines_hold_8_kib, 2);
    add_row(rare_sizes_keep_little);
    add_row(shrinking_small_blocks_gives_back);
    add_row(magazine_filled_in_part);
    add_row(free_without_a_cache_leaves_errno_alone);
    add_row(refused_cache_is_not_asked_for_again);
    add_loop_row(recently_used_sizes_need_no_mutex, 6);
    add_row(aligned_blocks_need_no_mutex);
    add_row(aligned_block_in_the_spare_magazine);
    add_row(small_alignments_are_cached);
    add_row(bad_alignments_of_cached_blocks);
    add_row(write_after_free_into_a_cached_block);
    add_row(handler_frees_into_the_cache);
    add_row(handler_frees_into_an_emptied_cache);
    add_loop_row(cached_header_overwritten, 7);
    add_loop_row(double_free_after_the_cache_was_emptied, 3);
    add_loop_row(overflow_of_a_cached_block, 2);
    add_row(i8_thread_cache);
    add_row(i8_both_magazines);
    add_row(i8_block_of_another_size);
}
