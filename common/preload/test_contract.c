// What programs may expect of malloc and its relatives, down to what few of them try: wrong
// alignments, overflow, errno. It calls the C library's names; run it under LD_PRELOAD.
//
// usage: test_contract STAGE
//
// Prints a line for each check that fails, and the number of checks; exits with 1 if one failed.

#define _GNU_SOURCE // for reallocarray, valloc and pvalloc

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Behind volatile pointers, compilers cannot tell what is called: they refuse to build some of the
// calls below, which are wrong on purpose, and leave out others.
static volatile struct {
    void *(*malloc)(size_t size);
    void (*free)(void *ptr);
    void *(*calloc)(size_t nmemb, size_t size);
    void *(*realloc)(void *ptr, size_t size);
    void *(*reallocarray)(void *ptr, size_t nmemb, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    int (*posix_memalign)(void **memptr, size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
    size_t (*malloc_usable_size)(void *ptr);
} c = {
    .malloc = malloc,
    .free = free,
    .calloc = calloc,
    .realloc = realloc,
    .reallocarray = reallocarray,
    .aligned_alloc = aligned_alloc,
    .memalign = memalign,
    .posix_memalign = posix_memalign,
    .valloc = valloc,
    .pvalloc = pvalloc,
    .malloc_usable_size = malloc_usable_size,
};

static int checks;
static int failures;

static void check(bool holds, const char *text)
{
    checks++;
    if (holds)
        return;
    failures++;
    printf("fails: %s\n", text);
}

// For calls that must fail: result is what they returned, errno was 0 before.
static void check_no_memory(const void *result, const char *text)
{
    check(result == NULL && errno == ENOMEM, text);
    errno = 0;
}

static void check_aligned(const void *payload, size_t alignment, const char *text)
{
    check(payload != NULL && (uintptr_t)payload % alignment == 0, text);
}

static void fill(unsigned char *bytes, int value, size_t size)
{
    if (bytes != NULL)
        memset(bytes, value, size);
}

static bool is_filled(const unsigned char *bytes, int value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes == NULL || bytes[i] != value)
            return false;
    return true;
}

static void test_malloc(void)
{
    char *first = c.malloc(0);
    char *second = c.malloc(0);
    check(first != NULL && second != NULL && first != second, "malloc(0) gives unique pointers");
    c.free(first);
    c.free(second);
    c.free(NULL);
    check_no_memory(c.malloc(PTRDIFF_MAX), "malloc(PTRDIFF_MAX) sets ENOMEM");
    errno = EDOM;
    c.free(c.malloc(100000000));
    check(errno == EDOM, "free leaves errno alone");
    errno = 0;
}

static void test_calloc(void)
{
    unsigned char *used = c.malloc(1000);
    fill(used, 0xFF, 1000);
    c.free(used);
    unsigned char *cleared = c.calloc(10, 100);
    check(is_filled(cleared, 0, 1000), "calloc clears memory that was used before");
    c.free(cleared);
    check_no_memory(c.calloc(SIZE_MAX / 2, 3), "calloc sets ENOMEM on overflow");
}

static void test_realloc(void)
{
    void *first = c.realloc(NULL, 100);
    check(first != NULL, "realloc(NULL, 100) is malloc(100)");
    check(c.realloc(first, 0) == NULL, "realloc(pointer, 0) frees");

    size_t size = 104; // with a header of 8 bytes a multiple of 16: no byte is to spare
    void *before = c.malloc(size); // and no neighbour is free: the block has to move
    unsigned char *payload = c.malloc(size);
    void *behind = c.malloc(size);
    fill(payload, 7, size);
    check_no_memory(c.realloc(payload, PTRDIFF_MAX), "realloc sets ENOMEM");
    check_no_memory(c.reallocarray(payload, SIZE_MAX / 2, 3), "reallocarray sets ENOMEM");
    check(is_filled(payload, 7, size), "realloc keeps the block if it fails");
    payload = c.realloc(payload, 100000);
    check(is_filled(payload, 7, size), "realloc keeps the content");
    payload = c.reallocarray(payload, 10, 5);
    check(is_filled(payload, 7, 50), "reallocarray keeps the content");
    c.free(before);
    c.free(payload);
    c.free(behind);
}

static void test_alignment(void)
{
    for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
        void *payload = c.aligned_alloc(alignment, 3 * alignment);
        check_aligned(payload, alignment, "aligned_alloc aligns");
        c.free(payload);
        payload = c.memalign(alignment, 100);
        check_aligned(payload, alignment, "memalign aligns");
        c.free(payload);
    }
    check_no_memory(c.aligned_alloc(64, PTRDIFF_MAX), "aligned_alloc sets ENOMEM");
    check_no_memory(c.memalign(64, PTRDIFF_MAX), "memalign sets ENOMEM");
}

static void test_posix_memalign(void)
{
    char untouched;
    void *payload = &untouched;
    check(c.posix_memalign(&payload, 0, 8) == EINVAL, "posix_memalign refuses alignment 0");
    check(c.posix_memalign(&payload, 4, 8) == EINVAL, "posix_memalign refuses alignment 4");
    check(c.posix_memalign(&payload, 24, 8) == EINVAL, "posix_memalign refuses alignment 24");
    check(errno == 0, "posix_memalign does not set EINVAL");
    check(c.posix_memalign(&payload, 64, PTRDIFF_MAX) == ENOMEM, "posix_memalign returns ENOMEM");
    check(errno == ENOMEM, "posix_memalign sets ENOMEM");
    errno = 0;
    check(payload == &untouched, "posix_memalign leaves the pointer alone if it fails");
    check(c.posix_memalign(&payload, 4096, 1) == 0, "posix_memalign returns 0");
    check_aligned(payload, 4096, "posix_memalign aligns");
    check(errno == 0, "posix_memalign leaves errno alone");
    c.free(payload);
}

static void test_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *payload = c.valloc(1);
    check_aligned(payload, page, "valloc aligns to a page");
    c.free(payload);
    unsigned char *first = c.pvalloc(1);
    unsigned char *second = c.pvalloc(page + 1);
    check_aligned(first, page, "pvalloc aligns to a page");
    check_aligned(second, page, "pvalloc aligns to a page");
    fill(first, 1, page);
    fill(second, 2, 2 * page);
    check(is_filled(first, 1, page) && is_filled(second, 2, 2 * page), "pvalloc gives whole pages");
    c.free(first);
    c.free(second);
    check_no_memory(c.pvalloc(SIZE_MAX), "pvalloc sets ENOMEM on overflow");
}

static void test_usable_size(bool sizes_are_kept)
{
    check(c.malloc_usable_size(NULL) == 0, "malloc_usable_size(NULL) is 0");
    for (size_t size = 1; size <= 1000000; size *= 10) {
        void *payload = c.malloc(size);
        size_t usable = c.malloc_usable_size(payload);
        if (sizes_are_kept)
            check(usable >= size, "malloc_usable_size is at least what was asked for");
        else
            check(usable == 0, "malloc_usable_size is 0 in stage 1, which keeps no sizes");
        c.free(payload);
    }
}

int main(int count, char **arguments)
{
    if (count != 2) {
        (void)fprintf(stderr, "usage: test_contract STAGE\n");
        return 2;
    }
    test_malloc();
    test_calloc();
    test_realloc();
    test_alignment();
    test_posix_memalign();
    test_pages();
    test_usable_size(strcmp(arguments[1], "1") != 0);
    printf("%d checks, %d failed\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
