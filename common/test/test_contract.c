// The C library's contract, on the default heap and on a heap of one's own.

#include "suite.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum {
    ALIGNMENT = _Alignof(max_align_t),
    OWN_HEAP_SIZE = 1 << 25, // bytes
    BOTH_HEAPS = 2, // each row runs for the default heap, _i == 0, and for one's own, _i == 1
};

static const size_t some_sizes[] = {1,  8,   15,  16,  17,   24,   25,   40,   56,
                                    57, 100, 500, 999, 1016, 1017, 4096, 70000};
enum { SOME_SIZES = sizeof some_sizes / sizeof some_sizes[0] };

// No allocator can serve these.
static const size_t huge_sizes[] = {SIZE_MAX,        SIZE_MAX - 7,    SIZE_MAX - 15,
                                    SIZE_MAX / 2,    PTRDIFF_MAX,     (size_t)PTRDIFF_MAX + 1,
                                    MA_HEAP_MAX,     MA_HEAP_MAX - 1, MA_HEAP_MAX - 7,
                                    MA_HEAP_MAX - 8, MA_HEAP_MAX + 1, MA_HEAP_MAX - 4096};
enum { HUGE_SIZES = sizeof huge_sizes / sizeof huge_sizes[0] };

// --- the heap under test -------------------------------------------------------------------------

static struct ma_heap *own_heap; // NULL: the default heap is under test

static void choose_heap(int which)
{
    own_heap = which == 0 ? NULL : make_heap(OWN_HEAP_SIZE);
}

static struct ma_heap *tested_heap(void)
{
    return own_heap == NULL ? ma_default_heap() : own_heap;
}

static void *test_malloc(size_t size)
{
    return own_heap == NULL ? ma_malloc(size) : ma_heap_malloc(own_heap, size);
}

static void test_free(void *pointer)
{
    if (own_heap == NULL)
        ma_free(pointer);
    else
        ma_heap_free(own_heap, pointer);
}

static void *test_calloc(size_t count, size_t size)
{
    return own_heap == NULL ? ma_calloc(count, size) : ma_heap_calloc(own_heap, count, size);
}

static void *test_realloc(void *pointer, size_t size)
{
    return own_heap == NULL ? ma_realloc(pointer, size) : ma_heap_realloc(own_heap, pointer, size);
}

static void *test_aligned_alloc(size_t alignment, size_t size)
{
    return own_heap == NULL ? ma_aligned_alloc(alignment, size)
                            : ma_heap_aligned_alloc(own_heap, alignment, size);
}

static size_t test_usable_size(const void *pointer)
{
    return own_heap == NULL ? ma_usable_size(pointer) : ma_heap_usable_size(own_heap, pointer);
}

// --- malloc and free -----------------------------------------------------------------------------

static void expect_usable(void *payload, size_t size)
{
    if (payload == NULL || !is_aligned(payload, ALIGNMENT))
        ck_abort_msg("%zu bytes at %p, which is no multiple of %d", size, payload, ALIGNMENT);
    fill(payload, size, 1);
    if (!is_filled(payload, size, 1))
        ck_abort_msg("%zu bytes at %p do not keep what is written", size, payload);
}

START_TEST(malloc_aligns_every_size)
{
    choose_heap(_i);
    for (size_t size = 0; size <= 4096; size++) {
        void *payload = test_malloc(size);
        expect_usable(payload, size);
        test_free(payload);
    }
    expect_sound(tested_heap());
}
END_TEST

START_TEST(malloc_aligns_large_sizes)
{
    static const size_t sizes[] = {4097,    65535,         65536,   65537,
                                   1000000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1};
    choose_heap(_i);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        expect_usable(test_malloc(sizes[i]), sizes[i]);
    expect_sound(tested_heap());
}
END_TEST

START_TEST(malloc_blocks_do_not_overlap)
{
    enum { COUNT = 500 };
    unsigned char *blocks[COUNT];
    choose_heap(_i);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = test_malloc(i * 13 % 2000);
        ck_assert_ptr_nonnull(blocks[i]);
        fill(blocks[i], i * 13 % 2000, (unsigned)i);
    }
    for (size_t i = 0; i < COUNT; i++)
        if (!is_filled(blocks[i], i * 13 % 2000, (unsigned)i))
            ck_abort_msg("block %zu was overwritten by another", i);
    for (size_t i = 0; i < COUNT; i++)
        test_free(blocks[i]);
    expect_sound(tested_heap());
}
END_TEST

START_TEST(malloc_of_nothing_is_unique)
{
    enum { COUNT = 100 };
    void *blocks[COUNT];
    choose_heap(_i);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = test_malloc(0);
        ck_assert_ptr_nonnull(blocks[i]);
        for (int j = 0; j < i; j++)
            if (blocks[i] == blocks[j])
                ck_abort_msg("malloc(0) gave %p twice", blocks[i]);
    }
    for (int i = 0; i < COUNT; i++)
        test_free(blocks[i]);
    expect_sound(tested_heap());
}
END_TEST

START_TEST(free_of_null_does_nothing)
{
    choose_heap(_i);
    test_free(NULL); // the default heap has no region yet
    expect_sound(tested_heap());
    test_free(test_malloc(1));
    struct ma_stats before = ma_heap_stats(tested_heap());
    test_free(NULL);
    struct ma_stats after = ma_heap_stats(tested_heap());
    ck_assert(same_stats(&before, &after));
}
END_TEST

// --- refusal -------------------------------------------------------------------------------------

// A heap with blocks in use and free ones of several sizes.
static void use_heap(void)
{
    void *blocks[SOME_SIZES];
    for (size_t i = 0; i < SOME_SIZES; i++) {
        blocks[i] = test_malloc(some_sizes[i]);
        ck_assert_ptr_nonnull(blocks[i]);
    }
    for (size_t i = 0; i < SOME_SIZES; i += 2)
        test_free(blocks[i]);
}

// Between note_stats and expect_refusal lies one call that has to return NULL.
static struct ma_stats noted_stats;

static void note_stats(void)
{
    noted_stats = ma_heap_stats(tested_heap());
    errno = 0;
}

static void expect_refusal(const void *payload, int error)
{
    int got = errno;
    if (payload != NULL)
        ck_abort_msg("a block at %p instead of NULL", payload);
    if (got != error)
        ck_abort_msg("errno is %d instead of %d", got, error);
    struct ma_stats after = ma_heap_stats(tested_heap());
    if (!same_stats(&noted_stats, &after))
        ck_abort_msg("the refused call changed the heap");
    expect_sound(tested_heap());
}

START_TEST(malloc_refuses_huge_sizes)
{
    choose_heap(_i);
    use_heap();
    for (size_t i = 0; i < HUGE_SIZES; i++) {
        note_stats();
        expect_refusal(test_malloc(huge_sizes[i]), ENOMEM);
    }
}
END_TEST

START_TEST(calloc_refuses_huge_products)
{
    static const struct {
        size_t count, size;
    } products[] = {
        {SIZE_MAX, SIZE_MAX},
        {SIZE_MAX / 2 + 1, 2},
        {2, SIZE_MAX / 2 + 1},
        {SIZE_MAX / 16 + 2, 16},
        {16, SIZE_MAX / 16 + 2},
        {SIZE_MAX, 1},
        {(size_t)1 << 33, (size_t)1 << 33},
        {1, MA_HEAP_MAX},
        {PTRDIFF_MAX, 2},
    };
    choose_heap(_i);
    use_heap();
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        note_stats();
        expect_refusal(test_calloc(products[i].count, products[i].size), ENOMEM);
    }
}
END_TEST

START_TEST(aligned_alloc_refuses_huge_sizes)
{
    choose_heap(_i);
    use_heap();
    for (size_t alignment = 1; alignment != 0; alignment *= 2)
        for (size_t i = 0; i < HUGE_SIZES; i++) {
            note_stats();
            expect_refusal(test_aligned_alloc(alignment, huge_sizes[i]), ENOMEM);
        }
    for (size_t alignment = MA_HEAP_MAX / 2 + 8; alignment != 0; alignment *= 2) {
        note_stats();
        expect_refusal(test_aligned_alloc(alignment, MA_HEAP_MAX / 2), ENOMEM);
    }
}
END_TEST

START_TEST(aligned_alloc_refuses_bad_alignments)
{
    static const size_t alignments[] = {0,  3,  5,  6,    7,    9,        15,
                                        17, 24, 48, 4095, 4097, SIZE_MAX, SIZE_MAX - 1};
    choose_heap(_i);
    use_heap();
    for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i++) {
        note_stats();
        expect_refusal(test_aligned_alloc(alignments[i], 64), EINVAL);
    }
}
END_TEST

START_TEST(realloc_failure_keeps_the_block)
{
    choose_heap(_i);
    use_heap();
    for (size_t i = 0; i < SOME_SIZES; i++) {
        unsigned char *block = test_malloc(some_sizes[i]);
        ck_assert_ptr_nonnull(block);
        fill(block, some_sizes[i], (unsigned)i);
        for (size_t j = 0; j < HUGE_SIZES; j++) {
            note_stats();
            expect_refusal(test_realloc(block, huge_sizes[j]), ENOMEM);
        }
        if (!is_filled(block, some_sizes[i], (unsigned)i))
            ck_abort_msg("the failed realloc changed a block of %zu bytes", some_sizes[i]);
        test_free(block);
    }
}
END_TEST

// --- calloc --------------------------------------------------------------------------------------

START_TEST(calloc_zeroes_reused_memory)
{
    choose_heap(_i);
    for (size_t i = 0; i < SOME_SIZES; i++) {
        void *dirty = test_malloc(some_sizes[i]);
        ck_assert_ptr_nonnull(dirty);
        memset(dirty, 0xFF, some_sizes[i]);
        test_free(dirty);
        void *clean = test_calloc(1, some_sizes[i]);
        if (clean == NULL || !is_zero(clean, some_sizes[i]))
            ck_abort_msg("calloc gives %zu bytes that are not all 0", some_sizes[i]);
    }
    expect_sound(tested_heap());
}
END_TEST

START_TEST(calloc_multiplies)
{
    choose_heap(_i);
    for (size_t count = 1; count <= 50; count++) {
        unsigned char *block = test_calloc(count, count + 3);
        if (block == NULL || !is_zero(block, count * (count + 3)))
            ck_abort_msg("calloc(%zu, %zu) is not all 0", count, count + 3);
        fill(block, count * (count + 3), (unsigned)count);
        test_free(block);
    }
    expect_sound(tested_heap());
}
END_TEST

START_TEST(calloc_of_nothing_is_unique)
{
    choose_heap(_i);
    void *a = test_calloc(0, 8);
    void *b = test_calloc(8, 0);
    void *c = test_calloc(0, SIZE_MAX);
    ck_assert(a != NULL && b != NULL && c != NULL);
    ck_assert(a != b && b != c && a != c);
    test_free(a);
    test_free(b);
    test_free(c);
    expect_sound(tested_heap());
}
END_TEST

// --- realloc -------------------------------------------------------------------------------------

START_TEST(realloc_of_null_is_malloc)
{
    choose_heap(_i);
    for (size_t i = 0; i < SOME_SIZES; i++) {
        void *block = test_realloc(NULL, some_sizes[i]);
        expect_usable(block, some_sizes[i]);
        test_free(block);
    }
    ck_assert_ptr_nonnull(test_realloc(NULL, 0));
    expect_sound(tested_heap());
}
END_TEST

START_TEST(realloc_to_nothing_gives_null)
{
    choose_heap(_i);
    for (size_t i = 0; i < SOME_SIZES; i++)
        ck_assert_ptr_null(test_realloc(test_malloc(some_sizes[i]), 0));
    expect_sound(tested_heap());
}
END_TEST

START_TEST(realloc_to_nothing_frees)
{
    choose_heap(_i);
    size_t live = ma_heap_stats(tested_heap()).live_blocks;
    for (size_t i = 0; i < SOME_SIZES; i++)
        test_realloc(test_malloc(some_sizes[i]), 0);
    ck_assert_uint_eq(ma_heap_stats(tested_heap()).live_blocks, live);
}
END_TEST

START_TEST(realloc_keeps_contents)
{
    choose_heap(_i);
    for (size_t i = 0; i < SOME_SIZES * SOME_SIZES; i++) {
        size_t before = some_sizes[i / SOME_SIZES];
        size_t after = some_sizes[i % SOME_SIZES];
        void *block = test_malloc(before);
        void *guard = test_malloc(20);
        ck_assert(block != NULL && guard != NULL);
        fill(block, before, 1);
        fill(guard, 20, 2);
        void *moved = test_realloc(block, after);
        if (moved == NULL || !is_filled(moved, before < after ? before : after, 1))
            ck_abort_msg("realloc from %zu to %zu bytes loses contents", before, after);
        fill(moved, after, 3);
        if (!is_filled(guard, 20, 2))
            ck_abort_msg("realloc from %zu to %zu bytes overlaps", before, after);
        test_free(moved);
        test_free(guard);
    }
    expect_sound(tested_heap());
}
END_TEST

START_TEST(realloc_grows_step_by_step)
{
    choose_heap(_i);
    unsigned char *block = NULL;
    for (size_t size = 1; size <= 2000; size++) {
        block = test_realloc(block, size);
        ck_assert_ptr_nonnull(block);
        block[size - 1] = (unsigned char)size;
    }
    for (size_t i = 0; i < 2000; i++)
        if (block[i] != (unsigned char)(i + 1))
            ck_abort_msg("byte %zu is lost", i);
    expect_sound(tested_heap());
}
END_TEST

// --- aligned_alloc and usable_size ---------------------------------------------------------------

START_TEST(aligned_alloc_aligns)
{
    choose_heap(_i);
    static const size_t sizes[] = {0, 1, 100, 1024, 5000};
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            void *block = test_aligned_alloc(alignment, sizes[i]);
            if (block == NULL || !is_aligned(block, alignment))
                ck_abort_msg("aligned_alloc(%zu, %zu) gives %p", alignment, sizes[i], block);
            expect_usable(block, sizes[i]);
            void *other = test_malloc(i * 24); // so that the next begins elsewhere
            test_free(block);
            test_free(other);
        }
    expect_sound(tested_heap());
}
END_TEST

START_TEST(aligned_blocks_can_be_reallocated)
{
    choose_heap(_i);
    for (size_t alignment = 32; alignment <= 65536; alignment *= 2) {
        void *block = test_aligned_alloc(alignment, 300);
        ck_assert_ptr_nonnull(block);
        fill(block, 300, 5);
        block = test_realloc(block, 3000);
        ck_assert(block != NULL && is_filled(block, 300, 5));
        test_free(block);
    }
    expect_sound(tested_heap());
}
END_TEST

START_TEST(usable_size_covers_the_request)
{
    choose_heap(_i);
    for (size_t size = 0; size <= 4096; size++) {
        void *block = test_malloc(size);
        size_t usable = test_usable_size(block);
        if (usable < size)
            ck_abort_msg("%zu of %zu bytes are usable", usable, size);
        memset(block, 0xFF, usable);
        test_free(block);
    }
    expect_sound(tested_heap());
}
END_TEST

START_TEST(usable_size_is_unknown)
{
    choose_heap(_i);
    ck_assert_uint_eq(test_usable_size(test_malloc(100)), 0);
}
END_TEST

START_TEST(usable_size_of_null_is_0)
{
    choose_heap(_i);
    ck_assert_uint_eq(test_usable_size(NULL), 0);
}
END_TEST

void add_contract_rows(void)
{
    add_loop_row(malloc_aligns_every_size, BOTH_HEAPS);
    add_loop_row(malloc_aligns_large_sizes, BOTH_HEAPS);
    add_loop_row(malloc_blocks_do_not_overlap, BOTH_HEAPS);
    add_loop_row(malloc_of_nothing_is_unique, BOTH_HEAPS);
    add_loop_row(malloc_refuses_huge_sizes, BOTH_HEAPS);
    add_loop_row(free_of_null_does_nothing, BOTH_HEAPS);
    add_loop_row(calloc_zeroes_reused_memory, BOTH_HEAPS);
    add_loop_row(calloc_multiplies, BOTH_HEAPS);
    add_loop_row(calloc_of_nothing_is_unique, BOTH_HEAPS);
    add_loop_row(calloc_refuses_huge_products, BOTH_HEAPS);
    add_loop_row(realloc_of_null_is_malloc, BOTH_HEAPS);
    add_loop_row(realloc_to_nothing_gives_null, BOTH_HEAPS);
    add_loop_row(realloc_to_nothing_frees, BOTH_HEAPS);
    add_loop_row(realloc_keeps_contents, BOTH_HEAPS);
    add_loop_row(realloc_grows_step_by_step, BOTH_HEAPS);
    add_loop_row(realloc_failure_keeps_the_block, BOTH_HEAPS);
    add_loop_row(aligned_alloc_aligns, BOTH_HEAPS);
    add_loop_row(aligned_alloc_refuses_bad_alignments, BOTH_HEAPS);
    add_loop_row(aligned_alloc_refuses_huge_sizes, BOTH_HEAPS);
    add_loop_row(aligned_blocks_can_be_reallocated, BOTH_HEAPS);
    add_loop_row(usable_size_covers_the_request, BOTH_HEAPS);
    add_loop_row(usable_size_is_unknown, BOTH_HEAPS);
    add_loop_row(usable_size_of_null_is_0, BOTH_HEAPS);
}
