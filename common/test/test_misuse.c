// Misuse: one line that names the function, the pointer and what is wrong, and an abort; or a
// handler of the program's own, after which the heap is as usable as before.

#include "suite.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 100, HEADER_SIZE = 8, STATE = 6, FLAG = 7 };

// Three blocks in a row, and one behind them, so that none lies before the top.
static struct ma_heap *heap;
static unsigned char *left, *middle, *right, *last;

// What a handler of our own has heard.

static void make_blocks(void)
{
    heap = make_heap(65536);
    left = memset(take(heap, SIZE), 0, SIZE);
    middle = memset(take(heap, SIZE), 0, SIZE);
    right = memset(take(heap, SIZE), 0, SIZE);
    last = memset(take(heap, SIZE), 0, SIZE);
    message_count = 0;
}

// --- the default: one line, and an abort ---------------------------------------------------------

static int call_free(void *pointer)
{
    ma_heap_free(heap, pointer);
    return 0;
}

static int call_realloc(void *pointer)
{
    ma_heap_realloc(heap, pointer, 2 * SIZE);
    return 0;
}

static int call_usable_size(void *pointer)
{
    ma_heap_usable_size(heap, pointer);
    return 0;
}

static int call_malloc(void *unused)
{
    (void)unused;
    ma_heap_malloc(heap, SIZE);
    return 0;
}

static int call_aligned_alloc(void *unused)
{
    (void)unused;
    ma_heap_aligned_alloc(heap, 64, SIZE - 64);
    return 0;
}

static int call_default_free(void *pointer)
{
    ma_free(pointer);
    return 0;
}

static int call_default_realloc(void *pointer)
{
    ma_realloc(pointer, 2 * SIZE);
    return 0;
}

static int call_default_usable_size(void *pointer)
{
    ma_usable_size(pointer);
    return 0;
}

static int call_destroy(void *destroyed)
{
    ma_heap_destroy(destroyed);
    return 0;
}

// Fails unless call(pointer) writes "function(0x...): problem" about `about`, and aborts.
static void expect_abort_about(int (*call)(void *), void *pointer, const void *about,
                               const char *function, const char *problem)
{
    char expected[200];
    snprintf(expected, sizeof expected, "%s(0x%" PRIxPTR "): %s\n", function, (uintptr_t)about,
             problem);
    struct outcome outcome = run_in_child(call, pointer);
    ck_assert_str_eq(outcome.text, expected);
    ck_assert(WIFSIGNALED(outcome.status));
    ck_assert_int_eq(WTERMSIG(outcome.status), SIGABRT);
}

static void expect_abort(int (*call)(void *), void *pointer, const char *function,
                         const char *problem)
{
    expect_abort_about(call, pointer, pointer, function, problem);
}

START_TEST(double_free)
{
    make_blocks();
    ma_heap_free(heap, middle);
    expect_abort(call_free, middle, "ma_heap_free", "double free");
    expect_abort(call_realloc, middle, "ma_heap_realloc", "already freed");
    expect_abort(call_usable_size, middle, "ma_heap_usable_size", "already freed");
}
END_TEST

START_TEST(double_free_in_the_default_heap)
{
    static const size_t sizes[] = {1, 100, 1016, 5000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *payload = ma_malloc(sizes[i]);
        ck_assert(payload != NULL && ma_malloc(sizes[i]) != NULL);
        ma_free(payload);
        expect_abort(call_default_free, payload, "ma_free", "double free");
        expect_abort(call_default_realloc, payload, "ma_realloc", "already freed");
        expect_abort(call_default_usable_size, payload, "ma_usable_size", "already freed");
    }
}
END_TEST

// Where neighbours merge, the second header lies within another free block, or above the top.
START_TEST(double_free_among_free_neighbours)
{
    make_blocks();
    ma_heap_free(heap, left);
    ma_heap_free(heap, right);
    ma_heap_free(heap, middle);
    expect_abort(call_free, left, "ma_heap_free", "double free");
    expect_abort(call_free, middle, "ma_heap_free", "double free");
    expect_abort(call_free, right, "ma_heap_free", "double free");
    ma_heap_free(heap, last);
    expect_abort(call_free, last, "ma_heap_free", "double free");
    expect_abort(call_free, middle, "ma_heap_free", "double free");
}
END_TEST

START_TEST(foreign_pointer)
{
    static int object;
    int local = 0;
    make_blocks();
    unsigned char *other = take(make_heap(65536), SIZE);
    void *foreign[] = {&object, &local, other, malloc(16), heap, middle + ((size_t)1 << 40)};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        expect_abort(call_free, foreign[i], "ma_heap_free", "not from this heap");
    expect_abort(call_realloc, other, "ma_heap_realloc", "not from this heap");
    expect_abort(call_usable_size, other, "ma_heap_usable_size", "not from this heap");
    expect_abort(call_default_free, middle, "ma_free", "not from this heap"); // no region yet
    ck_assert_ptr_nonnull(ma_malloc(1));
    expect_abort(call_default_free, middle, "ma_free", "not from this heap");
    expect_abort(call_default_free, &local, "ma_free", "not from this heap");
    free(foreign[3]);
    unsigned char *memory = make_memory(65536);
    heap = ma_heap_init(memory, 65536);
    expect_abort(call_free, memory + 65536, "ma_heap_free", "not from this heap"); // its limit
}
END_TEST

START_TEST(misaligned_pointer)
{
    make_blocks();
    for (size_t offset = 1; offset < 16; offset++)
        expect_abort(call_free, middle + offset, "ma_heap_free", "no intact block starts here");
    expect_abort(call_realloc, middle + 8, "ma_heap_realloc", "no intact block starts here");
}
END_TEST

START_TEST(interior_pointer)
{
    make_blocks();
    for (size_t offset = 16; offset < SIZE; offset += 16)
        expect_abort(call_free, middle + offset, "ma_heap_free", "no intact block starts here");
    expect_abort(call_realloc, middle + 16, "ma_heap_realloc", "no intact block starts here");
}
END_TEST

START_TEST(pointer_into_the_top)
{
    make_blocks();
    for (size_t offset = 1024; offset < 32768; offset *= 2)
        expect_abort(call_free, last + offset, "ma_heap_free", "no intact block starts here");
}
END_TEST

// The header of a block remains there when the top takes it back.
START_TEST(block_above_the_top)
{
    make_blocks();
    uintptr_t *top = (uintptr_t *)(void *)heap + 2; // after start and base
    *top = (uintptr_t)last - HEADER_SIZE;
    expect_abort(call_free, last, "ma_heap_free", "no intact block starts here");
}
END_TEST

START_TEST(overwritten_header_of_a_freed_block)
{
    make_blocks();
    for (size_t byte = 4; byte < 6; byte++) { // the check
        ma_heap_free(heap, middle);
        (middle - HEADER_SIZE)[byte] ^= 1;
        expect_abort_about(call_malloc, NULL, middle, "ma_heap_malloc", "freed block overwritten");
        (middle - HEADER_SIZE)[byte] ^= 1;
        ck_assert_ptr_eq(take(heap, SIZE), middle);
    }
}
END_TEST

START_TEST(overwritten_header)
{
    make_blocks();
    memset(middle - HEADER_SIZE, 0xFF, HEADER_SIZE);
    expect_abort(call_free, middle, "ma_heap_free", "no intact block starts here");
    expect_abort(call_realloc, middle, "ma_heap_realloc", "no intact block starts here");
    expect_abort(call_usable_size, middle, "ma_heap_usable_size", "no intact block starts here");
    memset(middle - HEADER_SIZE, 0, HEADER_SIZE);
    expect_abort(call_free, middle, "ma_heap_free", "no intact block starts here");
}
END_TEST

// The flag beside the state: from stage 4 on it says that the block before this one is free.
START_TEST(overwritten_flag)
{
    make_blocks();
    middle[FLAG - HEADER_SIZE] ^= 0x40;
    expect_abort(call_free, middle, "ma_heap_free", "no intact block starts here");
    expect_abort_about(call_free, left, left, "ma_heap_free",
                       "overflow: the next header is overwritten");
}
END_TEST

START_TEST(overflow_into_the_next_header)
{
    make_blocks();
    for (size_t i = 0; i < 4; i++) {
        left[SIZE + 4 + i] ^= 0x10; // 104 bytes can be used: these are the next block's size
        expect_abort(call_free, left, "ma_heap_free", "overflow: the next header is overwritten");
        expect_abort(call_free, middle, "ma_heap_free", "no intact block starts here");
        left[SIZE + 4 + i] ^= 0x10;
    }
}
END_TEST

// After the last block lies memory that was never handed out: it is zero, and calloc trusts in that.
START_TEST(overflow_of_the_last_block)
{
    static const char text[] = "overflow: the last block ran into unused memory";
    heap = ma_heap_create(65536);
    last = take(heap, SIZE);
    unsigned char *next = last + SIZE + 12; // 104 bytes can be used, 8 are the next header
    last[SIZE + 4] = 1;
    expect_abort(call_free, last, "ma_heap_free", "overflow: the next header is overwritten");
    expect_abort_about(call_malloc, NULL, next, "ma_heap_malloc", text);
    last[SIZE + 4] = 0;
    last[SIZE + 11] = 1;
    expect_abort_about(call_malloc, NULL, next, "ma_heap_malloc", text);
    expect_abort_about(call_aligned_alloc, NULL, next, "ma_heap_aligned_alloc", text);
    last[SIZE + 11] = 0;
    ck_assert_ptr_eq(take(heap, SIZE), next);
    expect_sound(heap);
}
END_TEST

// The region cannot grow: the heap would go on in another, and what was written become a free block.
START_TEST(overflow_before_a_move)
{
    heap = ma_heap_create(65536);
    last = take(heap, SIZE);
    block_the_way(last);
    last[SIZE + 4] = 1;
    ma_set_misuse_handler(note_message);
    ck_assert_ptr_null(ma_heap_malloc(heap, 65536));
    expect_message(last + SIZE + 12, "ma_heap_malloc",
                   "overflow: the last block ran into unused memory");
    ma_set_misuse_handler(NULL);
}
END_TEST

// In the last region but one, wherever it lies.
START_TEST(overflow_in_an_older_region)
{
    enum { REGIONS = 6 };
    unsigned char *blocks[REGIONS], *next[REGIONS];
    heap = ma_heap_create(65536);
    ma_set_misuse_handler(note_message);
    blocks[0] = take(heap, SIZE);
    next[0] = take(heap, SIZE);
    block_the_way(next[0]);
    for (size_t i = 1; i < REGIONS; i++) {
        blocks[i] = take(heap, (size_t)32768 << i); // half of a region: the old ones have no room
        next[i] = take(heap, ((size_t)32768 << i) - 300);
        block_the_way(next[i]);
        *(next[i - 1] - HEADER_SIZE) ^= 1;
        ma_heap_free(heap, blocks[i - 1]);
        expect_message(blocks[i - 1], "ma_heap_free", "overflow: the next header is overwritten");
        *(next[i - 1] - HEADER_SIZE) ^= 1;
    }
    ma_set_misuse_handler(NULL);
    expect_sound(heap);
}
END_TEST

START_TEST(pointer_beside_an_older_region)
{
    heap = ma_heap_create(65536);
    left = take(heap, SIZE);
    unsigned char *end = block_the_way(left);
    take(heap, 65536);
    expect_abort(call_free, left - 16, "ma_heap_free", "not from this heap");
    expect_abort(call_free, left + 16, "ma_heap_free", "no intact block starts here");
    expect_abort(call_free, end, "ma_heap_free", "not from this heap"); // behind its last header
}
END_TEST

// Zeros, the most common value, are no state: neither a used block's nor a free one's.
START_TEST(state_overwritten)
{
    make_blocks();
    middle[STATE - HEADER_SIZE] = 0;
    expect_abort(call_free, middle, "ma_heap_free", "double free");
    middle[STATE - HEADER_SIZE] = MA_BLOCK_USED;
    ma_heap_free(heap, middle);
    middle[STATE - HEADER_SIZE] = 0;
    expect_abort(call_free, middle, "ma_heap_free", "double free");
    expect_abort_about(call_malloc, NULL, middle, "ma_heap_malloc", "freed block overwritten");
    middle[STATE - HEADER_SIZE] = MA_BLOCK_FREE;
    expect_sound(heap);
}
END_TEST

// The first block on the list and the last: a link of each leads to the other.
START_TEST(write_after_free)
{
    make_blocks();
    ma_heap_free(heap, left);
    ma_heap_free(heap, right);
    unsigned char *freed[] = {right, left};
    for (size_t i = 0; i < 2; i++) { // next of the first, previous of the last
        unsigned char *link = freed[i] + 8 * i;
        uintptr_t target;
        memcpy(&target, link, sizeof target);
        memset(link, 0x41, sizeof target);
        expect_abort_about(call_malloc, NULL, right, "ma_heap_malloc", "freed block overwritten");
        memcpy(link, &target, sizeof target);
    }
    ck_assert_ptr_eq(take(heap, SIZE), right);
    ck_assert_ptr_eq(take(heap, SIZE), left);
}
END_TEST

static int call_calloc(void *unused)
{
    (void)unused;
    ma_heap_calloc(heap, 1, SIZE);
    return 0;
}

static int call_realloc_to_size(void *pointer)
{
    ma_heap_realloc(heap, pointer, SIZE);
    return 0;
}

// Whatever takes a block names itself.
START_TEST(each_call_names_a_write_after_free)
{
    make_blocks();
    unsigned char *small = take(heap, 10);
    take(heap, 10);
    ma_heap_free(heap, middle);
    memset(middle, 0x41, 8);
    expect_abort_about(call_calloc, NULL, middle, "ma_heap_calloc", "freed block overwritten");
    expect_abort_about(call_realloc_to_size, small, middle, "ma_heap_realloc",
                       "freed block overwritten");
}
END_TEST

START_TEST(aligned_alloc_names_a_write_after_free)
{
    make_blocks();
    unsigned char *larger = take(heap, 4 * SIZE);
    take(heap, SIZE);
    ma_heap_free(heap, larger);
    memset(larger, 0x41, 16);
    expect_abort_about(call_aligned_alloc, NULL, larger, "ma_heap_aligned_alloc",
                       "freed block overwritten");
}
END_TEST

START_TEST(write_after_free_beside_a_freed_block)
{
    make_blocks();
    ma_heap_free(heap, left);
    memset(left, 0x41, 16);
    expect_abort_about(call_free, middle, left, "ma_heap_free", "freed block overwritten");
    make_blocks();
    ma_heap_free(heap, right);
    memset(right, 0x41, 16);
    expect_abort_about(call_free, middle, right, "ma_heap_free", "freed block overwritten");
}
END_TEST

START_TEST(write_after_free_beside_a_growing_block)
{
    make_blocks();
    ma_heap_free(heap, middle);
    memset(middle, 0x41, 16);
    expect_abort_about(call_realloc, left, middle, "ma_heap_realloc", "freed block overwritten");
}
END_TEST

START_TEST(overwritten_footer)
{
    make_blocks();
    ma_heap_free(heap, left);
    memset(left + SIZE - 4, 0x41, 8); // the last 8 of its 104 bytes
    expect_abort(call_free, middle, "ma_heap_free", "the freed block before it is overwritten");
    memset(left + SIZE - 4, 0, 8);
    expect_abort(call_free, middle, "ma_heap_free", "the freed block before it is overwritten");
}
END_TEST

// The word before a used block, and the flag in its header, say that the block before it is free. It
// is not, or no block begins where the word leads.
START_TEST(forged_footer)
{
    enum { BLOCK = SIZE + 12, PREV_FREE = 7 };
    make_blocks();
    uintptr_t size = _i == 0 ? BLOCK : BLOCK + 48;
    memset(left + BLOCK - 48 - HEADER_SIZE, 0,
           HEADER_SIZE); // 48 bytes before the block in the middle
    left[BLOCK - 48 - HEADER_SIZE] = (BLOCK + 48) / 16;
    left[BLOCK - 48 - HEADER_SIZE + STATE] = MA_BLOCK_FREE;
    memcpy(right - 2 * HEADER_SIZE, &size, sizeof size);
    right[PREV_FREE - HEADER_SIZE] = 1;
    expect_abort(call_free, right, "ma_heap_free", "the freed block before it is overwritten");
}
END_TEST

START_TEST(destroying_the_default_heap)
{
    ck_assert_ptr_nonnull(ma_malloc(1));
    expect_abort(call_destroy, ma_default_heap(), "ma_heap_destroy",
                 "the default heap cannot be destroyed");
}
END_TEST

// --- a handler of one's own ----------------------------------------------------------------------

START_TEST(handler_replaces_the_abort)
{
    make_blocks();
    ck_assert(ma_set_misuse_handler(note_message) == NULL);
    struct ma_stats before = ma_heap_stats(heap);
    ma_heap_free(heap, middle + 1);
    expect_message(middle + 1, "ma_heap_free", "no intact block starts here");
    ck_assert_ptr_null(ma_heap_realloc(heap, last_message, 10));
    expect_message(last_message, "ma_heap_realloc", "not from this heap");
    ck_assert_uint_eq(ma_heap_usable_size(heap, last_message), 0);
    expect_message(last_message, "ma_heap_usable_size", "not from this heap");
    ck_assert_uint_eq(ma_heap_destroy(ma_default_heap()), 0);
    ck_assert_int_eq(message_count, 4);
    struct ma_stats after = ma_heap_stats(heap);
    ck_assert(same_stats(&before, &after));
    expect_sound(heap);
    ma_heap_free(heap, middle);
    fill(take(heap, SIZE), SIZE, 1);
    ck_assert_int_eq(message_count, 4);
    ck_assert(ma_set_misuse_handler(NULL) == note_message);
    expect_abort(call_free, last_message, "ma_heap_free", "not from this heap");
}
END_TEST

static void look_at_the_heap(const char *message)
{
    note_message(message);
    expect_sound(heap);
}

START_TEST(handler_may_look_at_the_heap)
{
    make_blocks();
    ma_set_misuse_handler(look_at_the_heap);
    ma_heap_free(heap, middle + 1);
    ck_assert_ptr_null(ma_heap_realloc(heap, middle + 1, 10));
    ck_assert_int_eq(message_count, 2);
    ma_set_misuse_handler(NULL);
}
END_TEST

START_TEST(heap_is_usable_after_a_double_free)
{
    make_blocks();
    ma_set_misuse_handler(note_message);
    ma_heap_free(heap, middle);
    for (int i = 1; i <= 10; i++) {
        ma_heap_free(heap, middle);
        ck_assert_int_eq(message_count, i);
        expect_message(middle, "ma_heap_free", "double free");
        expect_sound(heap);
    }
    void *first = take(heap, SIZE);
    void *second = take(heap, SIZE);
    ck_assert(first == middle && second != middle);
    expect_sound(heap);
    ma_set_misuse_handler(NULL);
}
END_TEST

START_TEST(changed_byte_of_the_size_is_seen)
{
    make_blocks();
    ma_set_misuse_handler(note_message);
    unsigned char *header = middle - HEADER_SIZE;
    for (size_t i = 0; i < 4; i++) {
        for (unsigned change = 1; change < 256; change++) {
            int before = message_count;
            header[i] ^= (unsigned char)change;
            ma_heap_free(heap, middle);
            const char *broken = ma_heap_check(heap);
            header[i] ^= (unsigned char)change;
            if (message_count != before + 1 || broken == NULL || strncmp(broken, "I3:", 3) != 0)
                ck_abort_msg("byte %zu of the header, changed by 0x%x, is not seen", i, change);
        }
    }
    expect_message(middle, "ma_heap_free", "no intact block starts here");
    expect_sound(heap);
    ma_set_misuse_handler(NULL);
}
END_TEST

START_TEST(one_broken_bin_leaves_the_others)
{
    make_blocks();
    unsigned char *other = take(heap, 5000);
    take(heap, 10);
    ma_set_misuse_handler(note_message);
    ma_heap_free(heap, middle);
    memset(middle, 0x41, 8);
    ck_assert_ptr_null(ma_heap_malloc(heap, SIZE));
    expect_message(middle, "ma_heap_malloc", "freed block overwritten");
    ma_heap_free(heap, other);
    ck_assert_ptr_eq(take(heap, 5000), other);
    ma_set_misuse_handler(NULL);
}
END_TEST

// --- forged headers ------------------------------------------------------------------------------

// A header belongs to its address.
START_TEST(copied_header)
{
    make_blocks();
    for (size_t offset = 16; offset < SIZE; offset += 16) {
        memcpy(middle + offset - HEADER_SIZE, left - HEADER_SIZE, HEADER_SIZE);
        expect_abort(call_free, middle + offset, "ma_heap_free", "no intact block starts here");
        expect_abort(call_usable_size, middle + offset, "ma_heap_usable_size",
                     "no intact block starts here");
    }
    ma_heap_free(heap, middle);
    expect_sound(heap);
}
END_TEST

// Copies a block's header to another place, with the size with which its check is right there, too:
// the check is one of address ^ size ^ number.
static unsigned char *forge_header(unsigned char *payload, uintptr_t difference)
{
    unsigned char *forged = (unsigned char *)(((uintptr_t)payload - HEADER_SIZE) ^ difference);
    uint32_t size;
    memcpy(&size, payload - HEADER_SIZE, sizeof size);
    size ^= (uint32_t)difference;
    memmove(forged, payload - HEADER_SIZE, HEADER_SIZE);
    memcpy(forged, &size, sizeof size);
    return forged + HEADER_SIZE;
}

// Their checks are right, and yet no block begins there: one is misaligned, one has no size.
START_TEST(forged_header)
{
    make_blocks();
    for (uintptr_t bit = 1; bit < 8; bit *= 2) {
        unsigned char *forged = forge_header(middle, bit | 32);
        expect_abort(call_free, forged, "ma_heap_free", "no intact block starts here");
    }
    make_blocks();
    unsigned char *of_16_units = take(heap, 256 - HEADER_SIZE);
    unsigned char *forged = forge_header(of_16_units, 16);
    expect_abort(call_free, forged, "ma_heap_free", "no intact block starts here");
}
END_TEST

// Headers of another heap, or of one that is gone. One in 65536 agrees by chance: two of these may.
enum { STALE = 16, STALE_ALLOWED = 2 };
static unsigned char *stale[STALE];

static void take_stale(struct ma_heap *from)
{
    for (size_t i = 0; i < STALE; i++)
        stale[i] = take(from, SIZE);
}

static void count_message(const char *message)
{
    message_count += strstr(message, "no intact block starts here") != NULL;
}

// Gives all stale pointers to a heap that they are not from, the default heap if NULL.
static int free_stale(void *wrong_heap)
{
    ma_set_misuse_handler(count_message);
    message_count = 0;
    for (size_t i = 0; i < STALE; i++)
        if (wrong_heap == NULL)
            ma_free(stale[i]);
        else
            ma_heap_free(wrong_heap, stale[i]);
    return message_count >= STALE - STALE_ALLOWED ? 0 : 1;
}

START_TEST(pointer_of_an_inner_heap)
{
    struct ma_heap *outer = _i == 0 ? NULL : make_heap(1 << 20);
    void *memory = _i == 0 ? ma_malloc(65536) : take(outer, 65536);
    ck_assert_ptr_nonnull(memory);
    take_stale(ma_heap_init(memory, 65536));
    struct outcome outcome = run_in_child(free_stale, outer);
    expect_exit_0(&outcome, "free of a block that lies within a block");
}
END_TEST

START_TEST(pointer_of_an_outer_heap)
{
    struct ma_heap *outer = _i == 0 ? ma_default_heap() : make_heap(1 << 20);
    unsigned char *before = take(outer, SIZE);
    unsigned char *memory = take(outer, 65536);
    unsigned char *after = take(outer, SIZE);
    heap = ma_heap_init(memory, 65536);
    take(heap, SIZE);
    expect_abort(call_free, before, "ma_heap_free", "not from this heap");
    expect_abort(call_free, after, "ma_heap_free", "not from this heap");
    expect_abort(call_free, memory, "ma_heap_free", "not from this heap");
}
END_TEST

// A block of the new heap covers what was left of the old one's headers.
static int destroy_and_begin_again(void *memory)
{
    ma_heap_destroy(memory);
    struct ma_heap *again = ma_heap_init(memory, 65536);
    if (again != memory || ma_heap_malloc(again, 50000) == NULL)
        return 2;
    return free_stale(again);
}

START_TEST(pointer_of_a_destroyed_heap)
{
    void *memory = make_memory(65536);
    struct ma_heap *old = ma_heap_init(memory, 65536);
    take(old, SIZE); // both heaps have a block here
    take_stale(old);
    struct outcome outcome = run_in_child(destroy_and_begin_again, memory);
    expect_exit_0(&outcome, "free of a block of the heap that was there before");
}
END_TEST

// --- forged links --------------------------------------------------------------------------------

// Free blocks of one size, the last one freed first on the list, and a used block after each. They
// lie 256 bytes apart: one bit of a link can lead from one to another.
enum { FREE_BLOCKS = 8, FREE_SIZE = 120, NEXT = 0, PREV = 1 };
static unsigned char *free_blocks[FREE_BLOCKS], *used_blocks[FREE_BLOCKS];

static uintptr_t *link_of(unsigned char *payload, int which)
{
    return (uintptr_t *)(void *)payload + which;
}

static void forge_link(unsigned char *payload, int which, const unsigned char *target)
{
    *link_of(payload, which) = target == NULL ? 0 : (uintptr_t)target - HEADER_SIZE;
}

static void make_free_blocks(void *memory)
{
    heap = ma_heap_init(memory, 65536);
    for (size_t i = 0; i < FREE_BLOCKS; i++) {
        free_blocks[i] = memset(take(heap, FREE_SIZE), 0, FREE_SIZE);
        used_blocks[i] = memset(take(heap, FREE_SIZE), 0, FREE_SIZE);
    }
    for (size_t i = 0; i < FREE_BLOCKS; i++)
        ma_heap_free(heap, free_blocks[i]);
    message_count = 0;
}

// The first block's links lead to a block that is free, but does not point back.
START_TEST(forged_link)
{
    make_free_blocks(make_memory(65536));
    unsigned char *first = free_blocks[FREE_BLOCKS - 1];
    forge_link(first, _i, free_blocks[0]);
    ma_set_misuse_handler(note_message);
    ck_assert_ptr_null(ma_heap_malloc(heap, FREE_SIZE));
    expect_message(first, "ma_heap_malloc", "freed block overwritten");
    ck_assert_int_eq(message_count, 1);
    ck_assert_ptr_null(ma_heap_malloc(heap, FREE_SIZE)); // the list stays as it is
    ck_assert_int_eq(message_count, 2);
    ma_set_misuse_handler(NULL);
}
END_TEST

// The last word of the region, and the page after it, which nobody may read.
START_TEST(link_to_the_end_of_the_region)
{
    enum { REGION = 65536, PAGE = 65536 }; // no page is larger
    unsigned char *memory =
        mmap(NULL, REGION + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(memory != MAP_FAILED);
    ck_assert_int_eq(mprotect(memory + REGION, PAGE, PROT_NONE), 0);
    make_free_blocks(memory);
    unsigned char *first = free_blocks[FREE_BLOCKS - 1];
    forge_link(first, NEXT, memory + REGION + (_i == 0 ? 0 : 1024));
    expect_abort_about(call_malloc, NULL, first, "ma_heap_malloc", "freed block overwritten");
}
END_TEST

// The search passes a block that is too small, and finds that its link leads to a used one, or nowhere.
START_TEST(forged_link_on_the_way)
{
    heap = make_heap(1 << 20);
    unsigned char *larger = take(heap, 40016);
    unsigned char *used = memset(take(heap, 50000), 0, 50000);
    unsigned char *smaller = take(heap, 40000);
    take(heap, 10);
    ma_heap_free(heap, larger); // the two are of one bin
    ma_heap_free(heap, smaller);
    forge_link(smaller, NEXT, used);
    if (_i == 1)
        memset(smaller, 0x41, sizeof(uintptr_t));
    ma_set_misuse_handler(note_message);
    ck_assert_ptr_null(ma_heap_malloc(heap, 40010));
    expect_message(smaller, "ma_heap_malloc", "freed block overwritten");
    ma_set_misuse_handler(NULL);
}
END_TEST

// The block that is freed does not merge with the forged one before it.
START_TEST(forged_link_beside_a_freed_block)
{
    static const struct {
        int which;
        int target; // -1: none
    } forgeries[] = {{NEXT, 7}, {PREV, 0}, {PREV, -1}};
    make_free_blocks(make_memory(65536));
    int target = forgeries[_i].target;
    forge_link(free_blocks[1], forgeries[_i].which, target < 0 ? NULL : free_blocks[target]);
    ma_set_misuse_handler(note_message);
    ma_heap_free(heap, used_blocks[1]); // also beside free_blocks[2], which is intact
    expect_message(free_blocks[1], "ma_heap_free", "freed block overwritten");
    ma_set_misuse_handler(NULL);
}
END_TEST

// The block that is freed does not merge with the overwritten one before or after it.
START_TEST(overwritten_neighbour_stays_apart)
{
    make_blocks();
    unsigned char *neighbour = _i == 0 ? left : right;
    ma_set_misuse_handler(note_message);
    ma_heap_free(heap, neighbour);
    memset(neighbour, 0x41, 16);
    ma_heap_free(heap, middle);
    expect_message(neighbour, "ma_heap_free", "freed block overwritten");
    ck_assert_uint_eq(ma_heap_stats(heap).free_blocks, 2);
    ck_assert_ptr_eq(take(heap, SIZE), middle);
    unsigned char *taken[8] = {middle};
    for (size_t i = 1; i < 8; i++) {
        taken[i] = ma_heap_malloc(heap, SIZE);
        for (size_t j = 0; j < i && taken[i] != NULL; j++)
            ck_assert(taken[i] >= taken[j] + SIZE || taken[j] >= taken[i] + SIZE);
    }
    ma_set_misuse_handler(NULL);
}
END_TEST

// Takes blocks, first one that none of the free ones can serve, so that all are looked at. Each is
// NULL, and the misuse reported, or overlaps no other: 1 if not.
static int take_beside_a_changed_link(void)
{
    enum { TAKEN = FREE_BLOCKS + 2 };
    unsigned char *taken[TAKEN];
    int status = 0;
    for (unsigned i = 0; i < TAKEN; i++) {
        int before = message_count;
        taken[i] = ma_heap_malloc(heap, i == 0 ? 4 * FREE_SIZE : FREE_SIZE);
        if (taken[i] != NULL)
            fill(taken[i], FREE_SIZE, i);
        else if (message_count == before)
            status = 1;
    }
    for (unsigned i = 0; i < TAKEN; i++)
        if ((taken[i] != NULL && !is_filled(taken[i], FREE_SIZE, i)) ||
            (i < FREE_BLOCKS && !is_zero(used_blocks[i], FREE_SIZE)))
            status = 1;
    return status;
}

static int change_each_bit(void *block)
{
    void *memory = make_memory(65536);
    alarm(5); // a list must not become a circle
    ma_set_misuse_handler(note_message);
    for (int which = NEXT; which <= PREV; which++)
        for (size_t bit = 0; bit < sizeof(uintptr_t) * 8; bit++) {
            make_free_blocks(memory);
            *link_of(free_blocks[*(int *)block], which) ^= (uintptr_t)1 << bit;
            if (take_beside_a_changed_link() != 0)
                return 1;
            ma_heap_destroy(heap);
        }
    return 0;
}

START_TEST(changed_bit_of_a_link)
{
    struct outcome outcome = run_in_child(change_each_bit, &_i);
    expect_exit_0(&outcome, "a block is given twice, or refused without a word");
}
END_TEST

void add_misuse_rows(void)
{
    add_row(double_free);
    add_row(double_free_in_the_default_heap);
    add_row(double_free_among_free_neighbours);
    add_row(foreign_pointer);
    add_row(misaligned_pointer);
    add_row(interior_pointer);
    add_row(pointer_into_the_top);
    add_row(block_above_the_top);
    add_row(overwritten_header_of_a_freed_block);
    add_row(overwritten_header);
    add_row(changed_byte_of_the_size_is_seen);
    add_row(overwritten_flag);
    add_row(overflow_into_the_next_header);
    add_row(overflow_of_the_last_block);
    add_row(overflow_before_a_move);
    add_row(overflow_in_an_older_region);
    add_row(pointer_beside_an_older_region);
    add_row(state_overwritten);
    add_row(write_after_free);
    add_row(each_call_names_a_write_after_free);
    add_row(aligned_alloc_names_a_write_after_free);
    add_row(write_after_free_beside_a_freed_block);
    add_row(write_after_free_beside_a_growing_block);
    add_row(overwritten_footer);
    add_loop_row(forged_footer, 2);
    add_row(destroying_the_default_heap);
    add_row(handler_replaces_the_abort);
    add_row(handler_may_look_at_the_heap);
    add_row(heap_is_usable_after_a_double_free);
    add_row(one_broken_bin_leaves_the_others);
    add_row(copied_header);
    add_row(forged_header);
    add_loop_row(pointer_of_an_inner_heap, 2);
    add_loop_row(pointer_of_an_outer_heap, 2);
    add_row(pointer_of_a_destroyed_heap);
    add_loop_row(forged_link, 2);
    add_loop_row(link_to_the_end_of_the_region, 2);
    add_loop_row(forged_link_on_the_way, 2);
    add_loop_row(forged_link_beside_a_freed_block, 3);
    add_loop_row(overwritten_neighbour_stays_apart, 2);
    add_loop_row(changed_bit_of_a_link, FREE_BLOCKS);
}
