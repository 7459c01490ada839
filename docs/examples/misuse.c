// The errors that the chapter on dynamic memory names, and what each is answered with.
// Build with: -DMA_NO_WARNINGS

#include "allocator.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static _Alignas(max_align_t) unsigned char memory[64 * 1024];
static int heard;

static void hear(const char *message)
{
    heard++;
    puts(message);
}

// Each error in a heap of its own: what was damaged does not disturb the next.
static struct ma_heap *fresh(const char *error)
{
    printf("%s:\n    ", error);
    return ma_heap_init(memory, sizeof memory);
}

static void double_free(void)
{
    struct ma_heap *heap = fresh("double free");
    char *block = ma_heap_malloc(heap, 100);
    ma_heap_free(heap, block);
    ma_heap_free(heap, block);
}

static void realloc_after_free(void)
{
    struct ma_heap *heap = fresh("realloc after free");
    char *block = ma_heap_malloc(heap, 100);
    ma_heap_free(heap, block);
    assert(ma_heap_realloc(heap, block, 200) == NULL);
}

static void foreign_pointer(void)
{
    struct ma_heap *heap = fresh("free of a pointer that malloc never returned");
    static int other;
    ma_heap_free(heap, &other);
}

static void interior_pointer(void)
{
    struct ma_heap *heap = fresh("free of a pointer into a block");
    char *block = ma_heap_malloc(heap, 100);
    ma_heap_free(heap, block + 16);
}

static void overflow(void)
{
    struct ma_heap *heap = fresh("writing behind a block");
    char *block = ma_heap_malloc(heap, 104);
    assert(ma_heap_malloc(heap, 100) != NULL);
    memset(block, 0, 112); // 8 bytes too many: the next block's header
    ma_heap_free(heap, block);
}

static void use_after_free(void)
{
    struct ma_heap *heap = fresh("writing into a freed block");
    char *block = ma_heap_malloc(heap, 100);
    assert(ma_heap_malloc(heap, 100) != NULL);
    ma_heap_free(heap, block);
    memset(block, 'x', 100);
    assert(ma_heap_malloc(heap, 100) == NULL);
}

static void leak(void)
{
    struct ma_heap *heap = fresh("a block that nobody freed");
    assert(ma_heap_malloc(heap, 100) != NULL);
    assert(ma_heap_destroy(heap) == 1); // warns on standard error
}

static void size_overflow(void)
{
    struct ma_heap *heap = fresh("an array whose size overflows");
    errno = 0;
    void *block = ma_heap_calloc(heap, SIZE_MAX / 2, 4);
    puts(block == NULL && errno == ENOMEM ? "NULL, ENOMEM" : "a block");
    assert(block == NULL && errno == ENOMEM);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0); // in order with standard error
    ma_set_misuse_handler(hear); // the default handler would abort at the first
    double_free();
    realloc_after_free();
    foreign_pointer();
    interior_pointer();
    overflow();
    use_after_free();
    leak();
    size_overflow();
    assert(heard == 6);
    return 0;
}
