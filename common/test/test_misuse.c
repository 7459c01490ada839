// Misuse: one line that names the function, the pointer and what is wrong, and an abort; or a
// handler of the program's own, after which the heap is as usable as before.

#include "suite.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { SIZE = 100, HEADER_SIZE = 8 };

// Three blocks in a row, and one behind them, so that none lies before the top.
static struct ma_heap *heap;
static unsigned char *left, *middle, *right, *last;

// What a handler of our own has heard.
static char last_message[200];
static int message_count;

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
}
END_TEST

START_TEST(misaligned_pointer)
{
    make_blocks();
    for (size_t offset = 1; offset < 16; offset++)
        expect_abort(call_free, middle + offset, "ma_heap_free", "not the start of a block");
    expect_abort(call_realloc, middle + 8, "ma_heap_realloc", "not the start of a block");
}
END_TEST

START_TEST(interior_pointer)
{
    make_blocks();
    for (size_t offset = 16; offset < SIZE; offset += 16)
        expect_abort(call_free, middle + offset, "ma_heap_free", "not the start of a block");
    expect_abort(call_realloc, middle + 16, "ma_heap_realloc", "not the start of a block");
}
END_TEST

START_TEST(pointer_into_the_top)
{
    make_blocks();
    for (size_t offset = 1024; offset < 32768; offset *= 2)
        expect_abort(call_free, last + offset, "ma_heap_free", "not the start of a block");
}
END_TEST

START_TEST(overwritten_header)
{
    make_blocks();
    memset(middle - HEADER_SIZE, 0xFF, HEADER_SIZE);
    expect_abort(call_free, middle, "ma_heap_free", "header overwritten");
    expect_abort(call_realloc, middle, "ma_heap_realloc", "header overwritten");
    expect_abort(call_usable_size, middle, "ma_heap_usable_size", "header overwritten");
    memset(middle - HEADER_SIZE, 0, HEADER_SIZE);
    expect_abort(call_free, middle, "ma_heap_free", "header overwritten");
}
END_TEST

START_TEST(overflow_into_the_next_header)
{
    make_blocks();
    for (size_t i = 0; i < 4; i++) {
        left[SIZE + 4 + i] ^= 0x10; // 104 bytes can be used: these are the next block's size
        expect_abort(call_free, left, "ma_heap_free", "overflow: the next header is overwritten");
        expect_abort(call_free, middle, "ma_heap_free", "header overwritten");
        left[SIZE + 4 + i] ^= 0x10;
    }
}
END_TEST

START_TEST(write_after_free)
{
    make_blocks();
    for (size_t offset = 0; offset < 16; offset += 8) { // two links
        make_blocks();
        ma_heap_free(heap, middle);
        memset(middle + offset, 0x41, 8);
        expect_abort_about(call_malloc, NULL, middle, "ma_heap_malloc", "freed block overwritten");
        memset(middle + offset, 0, 8);
        expect_abort_about(call_malloc, NULL, middle, "ma_heap_malloc", "freed block overwritten");
    }
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

START_TEST(destroying_the_default_heap)
{
    ck_assert_ptr_nonnull(ma_malloc(1));
    expect_abort(call_destroy, ma_default_heap(), "ma_heap_destroy",
                 "the default heap cannot be destroyed");
}
END_TEST

// --- a handler of one's own ----------------------------------------------------------------------

static void note_message(const char *message)
{
    snprintf(last_message, sizeof last_message, "%s", message);
    message_count++;
}

static void expect_message(const void *about, const char *function, const char *problem)
{
    char expected[200];
    snprintf(expected, sizeof expected, "%s(0x%" PRIxPTR "): %s", function, (uintptr_t)about,
             problem);
    ck_assert_str_eq(last_message, expected);
}

START_TEST(handler_replaces_the_abort)
{
    make_blocks();
    ck_assert(ma_set_misuse_handler(note_message) == NULL);
    struct ma_stats before = ma_heap_stats(heap);
    ma_heap_free(heap, middle + 1);
    expect_message(middle + 1, "ma_heap_free", "not the start of a block");
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
    expect_message(middle, "ma_heap_free", "header overwritten");
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

void add_misuse_rows(void)
{
    add_row(double_free);
    add_row(double_free_in_the_default_heap);
    add_row(double_free_among_free_neighbours);
    add_row(foreign_pointer);
    add_row(misaligned_pointer);
    add_row(interior_pointer);
    add_row(pointer_into_the_top);
    add_row(overwritten_header);
    add_row(changed_byte_of_the_size_is_seen);
    add_row(overflow_into_the_next_header);
    add_row(write_after_free);
    add_row(write_after_free_beside_a_freed_block);
    add_row(overwritten_footer);
    add_row(destroying_the_default_heap);
    add_row(handler_replaces_the_abort);
    add_row(handler_may_look_at_the_heap);
    add_row(heap_is_usable_after_a_double_free);
    add_row(one_broken_bin_leaves_the_others);
}
