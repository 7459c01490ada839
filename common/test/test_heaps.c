// Heaps of one's own: in static memory, in sbrk's, in mappings; refused sizes; destruction.

#include "suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static _Alignas(max_align_t) unsigned char static_memory[65536];

static void expect_inside(const void *payload, size_t size, const unsigned char *memory,
                          size_t memory_size)
{
    uintptr_t first = (uintptr_t)memory;
    uintptr_t address = (uintptr_t)payload;
    if (address < first || address - first > memory_size - size)
        ck_abort_msg("%zu bytes at %p lie outside %zu bytes at %p", size, payload, memory_size,
                     (const void *)memory);
}

START_TEST(heap_in_static_memory)
{
    struct ma_heap *heap = ma_heap_init(static_memory, sizeof static_memory);
    ck_assert_ptr_nonnull(heap);
    for (size_t size = 0; size < 200; size++) {
        void *payload = take(heap, size);
        expect_inside(payload, size, static_memory, sizeof static_memory);
        fill(payload, size, 1);
    }
    expect_sound(heap);
    ck_assert_uint_eq(ma_heap_stats(heap).region_bytes, sizeof static_memory);
}
END_TEST

// The smallest heap, at every misalignment; the bytes around it stay as they are.
START_TEST(heap_in_misaligned_memory)
{
    unsigned char *around = make_memory(MA_HEAP_MIN + 64);
    unsigned char *memory = around + 16 + _i;
    memset(around, 0xA5, MA_HEAP_MIN + 64);
    struct ma_heap *heap = ma_heap_init(memory, MA_HEAP_MIN);
    ck_assert(heap != NULL && is_aligned(heap, sizeof(void *)));
    ck_assert_uint_eq(ma_heap_stats(heap).region_bytes, MA_HEAP_MIN);
    size_t count = 0;
    if (_i >= 16)
        take(heap, 24); // so that what is left in the end, too small for a block, is of every size
    for (unsigned char *payload; (payload = ma_heap_malloc(heap, 40)) != NULL; count++) {
        ck_assert(is_aligned(payload, _Alignof(max_align_t)));
        expect_inside(payload, 40, memory, MA_HEAP_MIN);
        memset(payload, 0xFF, 40);
    }
    ck_assert_uint_ge(count, 8);
    take_all(heap, 24);
    expect_sound(heap);
    for (int i = 0; i < 16 + _i; i++)
        ck_assert_uint_eq(around[i], 0xA5);
    for (int i = 16 + _i + MA_HEAP_MIN; i < MA_HEAP_MIN + 64; i++)
        ck_assert_uint_eq(around[i], 0xA5);
}
END_TEST

// Memory from the system is zero, the caller's need not be.
START_TEST(calloc_in_used_memory)
{
    memset(static_memory, 0xFF, sizeof static_memory);
    struct ma_heap *heap = ma_heap_init(static_memory, sizeof static_memory);
    ck_assert_ptr_nonnull(heap);
    for (size_t size = 1; size < 20000; size = size * 2 + 1) {
        void *payload = ma_heap_calloc(heap, 1, size);
        if (payload == NULL || !is_zero(payload, size))
            ck_abort_msg("calloc gives %zu bytes that are not all 0", size);
    }
    expect_sound(heap);
}
END_TEST

// What a block of a heap in such memory says of itself is written, not found there.
START_TEST(aligned_blocks_in_used_memory)
{
    memset(static_memory, 0xFF, sizeof static_memory);
    struct ma_heap *heap = ma_heap_init(static_memory, sizeof static_memory);
    ck_assert_ptr_nonnull(heap);
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        void *block = ma_heap_aligned_alloc(heap, alignment, 100);
        void *behind = take(heap, 100);
        ck_assert(block != NULL && is_aligned(block, alignment));
        expect_sound(heap);
        ma_heap_free(heap, block);
        expect_sound(heap);
        ma_heap_free(heap, behind);
        expect_sound(heap);
    }
}
END_TEST

START_TEST(heap_in_sbrk_memory)
{
    enum { STEP = 65536 };
    void *memory = sbrk(STEP);
    if (memory == sbrk(0) || (intptr_t)memory == -1)
        ck_abort_msg("the system has no sbrk memory");
    struct ma_heap *heap = ma_heap_init(memory, STEP);
    ck_assert_ptr_nonnull(heap);
    for (int step = 1; step < 5; step++) {
        exhaust(heap);
        ck_assert_ptr_null(ma_heap_malloc(heap, STEP / 2));
        ck_assert((uintptr_t)sbrk(STEP) == (uintptr_t)memory + (uintptr_t)step * STEP);
        ck_assert(ma_heap_extend(heap, STEP));
        fill(take(heap, STEP / 2), STEP / 2, 1);
        expect_sound(heap);
        ck_assert_uint_eq(ma_heap_stats(heap).region_bytes, (size_t)(step + 1) * STEP);
    }
}
END_TEST

START_TEST(heap_extended_by_odd_bytes)
{
    unsigned char *memory = make_memory(65536);
    struct ma_heap *heap = ma_heap_init(memory, MA_HEAP_MIN);
    for (size_t size = MA_HEAP_MIN; size < 60000; size += 777) {
        exhaust(heap);
        expect_sound(heap);
        ck_assert_uint_eq(ma_heap_stats(heap).region_bytes, size);
        ck_assert(ma_heap_extend(heap, 777));
        expect_inside(take(heap, 700), 700, memory, size + 777);
    }
}
END_TEST

START_TEST(heap_extension_refused)
{
    struct ma_heap *mapped = ma_heap_create(65536);
    struct ma_heap *own = make_heap(65536);
    ck_assert(mapped != NULL && own != NULL);
    errno = 0;
    ck_assert(!ma_heap_extend(mapped, 4096) && errno == EINVAL);
    errno = 0;
    ck_assert(!ma_heap_extend(ma_default_heap(), 4096) && errno == EINVAL);
    errno = 0;
    ck_assert(!ma_heap_extend(own, MA_HEAP_MAX) && errno == EINVAL);
    errno = 0;
    ck_assert(!ma_heap_extend(own, SIZE_MAX) && errno == EINVAL);
    ck_assert_uint_eq(ma_heap_stats(own).region_bytes, 65536);
    expect_sound(own);
    expect_sound(mapped);
}
END_TEST

START_TEST(heap_in_a_mapping)
{
    static const size_t sizes[] = {MA_HEAP_MIN, MA_HEAP_MIN + 1, 65536, 1 << 20, 100000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct ma_heap *heap = ma_heap_create(sizes[i]);
        ck_assert_ptr_nonnull(heap);
        size_t region = ma_heap_stats(heap).region_bytes;
        ck_assert_uint_ge(region, sizes[i]);
        ck_assert_uint_eq(region % (size_t)sysconf(_SC_PAGESIZE), 0);
        fill(take(heap, 400), 400, 1);
        expect_sound(heap);
    }
}
END_TEST

START_TEST(destroyed_mapping_goes_back)
{
    struct ma_heap *heap = ma_heap_create(1 << 20);
    ck_assert_ptr_nonnull(heap);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *first = (char *)heap - (uintptr_t)heap % page;
    ck_assert_uint_eq(ma_heap_destroy(heap), 0);
    for (size_t offset = 0; offset < 1 << 20; offset += page) {
        errno = 0;
        if (msync(first + offset, page, MS_ASYNC) != -1 || errno != ENOMEM)
            ck_abort_msg("the page %zu bytes into the heap is still there", offset);
    }
}
END_TEST

START_TEST(heap_of_refused_size)
{
    static const size_t too_small[] = {0, 1, 16, MA_HEAP_MIN - 1};
    static const size_t too_large[] = {MA_HEAP_MAX + 1, PTRDIFF_MAX, SIZE_MAX - 4095, SIZE_MAX};
    for (size_t i = 0; i < 4; i++) {
        errno = 0;
        ck_assert(ma_heap_create(too_small[i]) == NULL && errno == EINVAL);
        errno = 0;
        ck_assert(ma_heap_init(static_memory, too_small[i]) == NULL && errno == EINVAL);
        errno = 0;
        ck_assert(ma_heap_create(too_large[i]) == NULL && errno == ENOMEM);
        errno = 0;
        ck_assert(ma_heap_init(static_memory, too_large[i]) == NULL && errno == EINVAL);
    }
    errno = 0;
    ck_assert(ma_heap_init(NULL, 65536) == NULL && errno == EINVAL);
}
END_TEST

// MA_HEAP_MAX is no multiple of a page: rounded up, these would be larger.
START_TEST(heap_of_the_largest_size)
{
    size_t pages = MA_HEAP_MAX - MA_HEAP_MAX % (size_t)sysconf(_SC_PAGESIZE);
    const size_t sizes[] = {MA_HEAP_MAX, MA_HEAP_MAX - 1, pages + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        errno = 0;
        ck_assert(ma_heap_create(sizes[i]) == NULL && errno == ENOMEM);
    }
    struct ma_heap *heap = ma_heap_create(pages); // the system may refuse it
    if (heap == NULL)
        return;
    ck_assert_uint_eq(ma_heap_stats(heap).region_bytes, pages);
    ck_assert_uint_eq(ma_heap_destroy(heap), 0);
}
END_TEST

START_TEST(heaps_are_independent)
{
    enum { HEAPS = 8, BLOCKS = 50 };
    struct ma_heap *heaps[HEAPS];
    void *blocks[HEAPS][BLOCKS];
    for (unsigned i = 0; i < HEAPS; i++)
        heaps[i] = make_heap(65536);
    for (unsigned j = 0; j < BLOCKS; j++)
        for (unsigned i = 0; i < HEAPS; i++)
            fill(blocks[i][j] = take(heaps[i], 100 + i), 100 + i, i + j);
    struct ma_stats before = ma_heap_stats(heaps[1]);
    for (unsigned j = 0; j < BLOCKS; j++)
        ma_heap_free(heaps[0], blocks[0][j]);
    struct ma_stats after = ma_heap_stats(heaps[1]);
    ck_assert(same_stats(&before, &after));
    for (unsigned i = 1; i < HEAPS; i++) {
        expect_sound(heaps[i]);
        for (unsigned j = 0; j < BLOCKS; j++)
            ck_assert(is_filled(blocks[i][j], 100 + i, i + j));
    }
}
END_TEST

START_TEST(heap_inside_a_block)
{
    struct ma_heap *outer = make_heap(1 << 20);
    void *block = take(outer, 65536);
    struct ma_heap *inner = ma_heap_init(block, 65536);
    ck_assert_ptr_nonnull(inner);
    exhaust(inner);
    fill(take(outer, 1000), 1000, 1);
    expect_sound(inner);
    expect_sound(outer);
}
END_TEST

static int take_and_fill(void *heap)
{
    void *payload = ma_heap_malloc(heap, 1000);
    if (payload == NULL)
        return 1;
    fill(payload, 1000, 9);
    return 0;
}

START_TEST(heap_in_shared_memory)
{
    void *memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(memory != MAP_FAILED);
    struct ma_heap *heap = ma_heap_init(memory, 65536);
    struct ma_stats before = ma_heap_stats(heap);
    struct outcome outcome = run_in_child(take_and_fill, heap);
    expect_exit_0(&outcome, "malloc in shared memory");
    expect_sound(heap);
    struct ma_block block;
    ck_assert_uint_eq(list_blocks(heap, &block, 1), 1);
    ck_assert(is_filled(block.payload, 1000, 9));
    ck_assert_uint_lt(ma_heap_stats(heap).top_bytes, before.top_bytes);
}
END_TEST

// --- destruction ---------------------------------------------------------------------------------

static int destroy(void *heap)
{
    return (int)ma_heap_destroy(heap); // the number of live blocks
}

static void expect_warning(size_t blocks, const char *text)
{
    struct ma_heap *heap = make_heap(65536);
    for (size_t i = 0; i < blocks; i++)
        take(heap, 100);
    char expected[200] = "";
    if (blocks != 0)
        snprintf(expected, sizeof expected, "ma_heap_destroy(0x%" PRIxPTR "): %s\n",
                 (uintptr_t)heap, text);
    struct outcome outcome = run_in_child(destroy, heap);
    ck_assert(WIFEXITED(outcome.status));
    ck_assert_str_eq(outcome.text, expected);
    ck_assert_uint_eq((size_t)WEXITSTATUS(outcome.status), blocks);
}

START_TEST(destroy_of_an_empty_heap_is_silent)
{
    expect_warning(0, "");
    ck_assert_uint_eq(ma_heap_destroy(NULL), 0);
}
END_TEST

START_TEST(destroy_warns_of_a_live_block)
{
    expect_warning(1, "1 block still live");
}
END_TEST

START_TEST(destroy_counts_live_blocks)
{
    expect_warning(3, "3 blocks still live");
}
END_TEST

START_TEST(destroy_leaves_memory_to_its_owner)
{
    void *memory = make_memory(65536);
    ck_assert_uint_eq(ma_heap_destroy(ma_heap_init(memory, 65536)), 0);
    fill(memory, 65536, 1);
    struct ma_heap *heap = ma_heap_init(memory, 65536);
    ck_assert_ptr_nonnull(heap);
    fill(take(heap, 1000), 1000, 2);
    expect_sound(heap);
}
END_TEST

void add_heaps_rows(void)
{
    add_row(heap_in_static_memory);
    add_loop_row(heap_in_misaligned_memory, 32);
    add_row(calloc_in_used_memory);
    add_row(aligned_blocks_in_used_memory);
    add_row(heap_in_sbrk_memory);
    add_row(heap_extended_by_odd_bytes);
    add_row(heap_extension_refused);
    add_row(heap_in_a_mapping);
    add_row(destroyed_mapping_goes_back);
    add_row(heap_of_refused_size);
    add_row(heap_of_the_largest_size);
    add_row(heaps_are_independent);
    add_row(heap_inside_a_block);
    add_row(heap_in_shared_memory);
    add_row(destroy_of_an_empty_heap_is_silent);
    add_row(destroy_warns_of_a_live_block);
    add_row(destroy_counts_live_blocks);
    add_row(destroy_leaves_memory_to_its_owner);
}
