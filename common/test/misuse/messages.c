// Two promises about misuse, on one stage: what a message costs, and that every address gets one.
//   messages STAGE      prints each promise and the plain line "N passed, N failed"
//
// This program's malloc, and so the C library's, is the stage's, behind a counter.

#define _GNU_SOURCE // for pipe2

#include "allocator.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMALL = 104, LARGE = 40008, RANDOM = 100000, BLOCKS = 4, SECONDS = 5 };

// --- malloc, counted -----------------------------------------------------------------------------

static volatile size_t calls;

void *malloc(size_t size)
{
    calls++;
    return ma_malloc(size);
}

void free(void *ptr)
{
    calls++;
    ma_free(ptr);
}

void *calloc(size_t nmemb, size_t size)
{
    calls++;
    return ma_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    calls++;
    return ma_realloc(ptr, size);
}

// --- results -------------------------------------------------------------------------------------

static int passed, failed;

static void expect(bool holds, const char *what, const char *detail)
{
    if (holds)
        passed++;
    else
        failed++;
    if (!holds)
        printf("FAIL: %s: %s\n", what, detail);
}

// --- no message allocates ------------------------------------------------------------------------

// Four blocks in a row.
static unsigned char *blocks[BLOCKS];

static void make_blocks(size_t size)
{
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = ma_malloc(size);
}

static void wreck(unsigned char *from)
{
    memset(from, 0x41, 8);
}

static void prepare_nothing(size_t size)
{
    (void)size;
}

static void prepare_freed(size_t size)
{
    (void)size;
    ma_free(blocks[1]);
}

static void prepare_header(size_t size)
{
    (void)size;
    wreck(blocks[1] - 8);
}

static void prepare_overflow(size_t size)
{
    wreck(blocks[1] + size);
}

static void prepare_late_write(size_t size)
{
    (void)size;
    ma_free(blocks[1]);
    wreck(blocks[1]);
}

static void call_free(size_t size)
{
    (void)size;
    ma_free(blocks[1]);
}

static void call_free_stack(size_t size)
{
    ma_free(&size);
}

static void call_free_interior(size_t size)
{
    (void)size;
    ma_free(blocks[1] + 8);
}

static void call_realloc(size_t size)
{
    ma_realloc(blocks[1], 4 * size);
}

static void call_usable_size(size_t size)
{
    (void)size;
    ma_usable_size(blocks[1]);
}

static void call_malloc(size_t size)
{
    ma_malloc(size);
}

static void call_destroy(size_t size)
{
    (void)size;
    ma_heap_destroy(ma_default_heap());
}

static const struct misuse {
    const char *name;
    void (*prepare)(size_t size);
    void (*call)(size_t size);
    int from_stage; // the first that finds it
    bool only_large; // stage 5 finds it in a cached block only when the cache is emptied
} misuses[] = {
    {"a pointer to the stack", prepare_nothing, call_free_stack, 1, false},
    {"a pointer into a block", prepare_nothing, call_free_interior, 1, false},
    {"the default heap destroyed", prepare_nothing, call_destroy, 1, false},
    {"double free", prepare_freed, call_free, 2, false},
    {"realloc after free", prepare_freed, call_realloc, 2, false},
    {"usable_size after free", prepare_freed, call_usable_size, 2, false},
    {"no intact block starts here", prepare_header, call_free, 2, false},
    {"overflow", prepare_overflow, call_free, 2, true},
    {"overflow, at realloc", prepare_overflow, call_realloc, 2, true},
    {"freed block overwritten", prepare_late_write, call_malloc, 2, false},
};
enum { MISUSES = sizeof misuses / sizeof misuses[0] };

static volatile size_t calls_before;
static struct ma_stats stats_before;
static bool compares_stats;

// The message is written, and abort is on its way.
static void look_back(int signal_number)
{
    (void)signal_number;
    if (calls != calls_before)
        _exit(3);
    struct ma_stats stats = ma_heap_stats(ma_default_heap());
    if (compares_stats && memcmp(&stats, &stats_before, sizeof stats) != 0)
        _exit(4);
    _exit(0);
}

static _Noreturn void misuse_in_child(const struct misuse *misuse, size_t size, int error_file)
{
    alarm(SECONDS);
    dup2(error_file, STDERR_FILENO);
    make_blocks(size);
    misuse->prepare(size);
    signal(SIGABRT, look_back);
    // The first request of a small size that finds its cached block overwritten empties a magazine.
    compares_stats = size == LARGE || misuse->call != call_malloc;
    stats_before = ma_heap_stats(ma_default_heap());
    calls_before = calls;
    misuse->call(size);
    _exit(5);
}

static void test_message(const struct misuse *misuse, size_t size)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        exit(2);
    pid_t child = fork();
    if (child == 0)
        misuse_in_child(misuse, size, ends[1]);
    close(ends[1]);
    char text[200];
    ssize_t length = read(ends[0], text, sizeof text);
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    expect(length > 0 && memchr(text, '\n', (size_t)length) == text + length - 1, misuse->name,
           "not one line");
    expect(status != 3 << 8, misuse->name, "malloc or one of its kind was called");
    expect(status != 4 << 8, misuse->name, "the heap is another than before");
    expect(status == 0 || status == 3 << 8 || status == 4 << 8, misuse->name, "it did not abort");
}

// --- any address is answered ---------------------------------------------------------------------

static size_t heard;

static void hear(const char *message)
{
    heard += strncmp(message, "ma_", 3) == 0;
}

static void *pointer_to(uintptr_t address)
{
    return (void *)address;
}

// How many of three calls said nothing.
static int silent_calls(uintptr_t address)
{
    size_t before = heard;
    if (address == 0)
        return 0; // NULL is no misuse
    ma_free(pointer_to(address));
    ma_realloc(pointer_to(address), 200);
    ma_usable_size(pointer_to(address));
    return 3 - (int)(heard - before);
}

static int silent_around(uintptr_t address)
{
    static const int offsets[] = {-4096, -16, -8, -1, 0, 1, 8, 16, 24, 4096};
    int silent = 0;
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
        silent += silent_calls(address + (uintptr_t)offsets[i]);
    return silent;
}

static void test_powers_of_two(void)
{
    int silent = 0;
    for (size_t bit = 0; bit < sizeof(uintptr_t) * 8; bit++)
        silent += silent_around((uintptr_t)1 << bit) + silent_around(~((uintptr_t)1 << bit));
    expect(silent == 0, "addresses around every power of two", "not all were answered");
}

static uintptr_t next_random(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005 + 1442695040888963407; // Knuth's constants for 64 bits
    return (uintptr_t)(state ^ state >> 29);
}

// All over the address space, and below 2^47, where processes live. The heap itself is left out: there,
// bytes that were never a header agree by chance once in 65,536 times.
static void test_random_addresses(void)
{
    const uintptr_t near = (uintptr_t)1 << 31;
    uintptr_t heap = (uintptr_t)blocks[0];
    int silent = 0;
    for (int i = 0; i < RANDOM; i++) {
        uintptr_t address = i % 2 == 0 ? next_random() : next_random() >> (sizeof heap * 8 - 47);
        if (address - heap + near > 2 * near)
            silent += silent_calls(address);
    }
    expect(silent == 0, "random addresses", "not all were answered");
}

// Each byte of a heap without blocks, of what lies before it and of what lies after it.
static void test_edges(void)
{
    static unsigned char memory[3 * MA_HEAP_MIN];
    unsigned char *start = memory + MA_HEAP_MIN;
    struct ma_heap *heap = ma_heap_init(start, MA_HEAP_MIN);
    size_t before = heard;
    for (size_t i = 0; i < sizeof memory; i++)
        ma_heap_free(heap, memory + i);
    expect(heard - before == sizeof memory, "each byte in and around a heap without blocks",
           "not all were answered");
    expect(ma_heap_check(heap) == NULL, "the heap after that", "an invariant is broken");
    ma_heap_destroy(heap);
}

static void test_addresses(void)
{
    make_blocks(SMALL);
    ma_set_misuse_handler(hear);
    test_powers_of_two();
    test_random_addresses();
    test_edges();
    ma_set_misuse_handler(NULL);
    expect(ma_heap_check(ma_default_heap()) == NULL, "the default heap after all addresses",
           "an invariant is broken");
}

int main(int argc, char **argv)
{
    int stage = argc == 2 ? argv[1][0] - '0' : 0;
    if (stage < 1 || stage > 5 || argv[1][1] != '\0') {
        fputs("usage: messages STAGE     (1 to 5)\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < MISUSES; i++)
        if (misuses[i].from_stage <= stage) {
            if (!misuses[i].only_large)
                test_message(&misuses[i], SMALL);
            test_message(&misuses[i], LARGE);
        }
    test_addresses();
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
