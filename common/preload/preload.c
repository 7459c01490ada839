// The C library's names for the allocator of one stage, built as a shared object for LD_PRELOAD.
//
// The loader searches this object for malloc, free and the others before it searches the C library.
// So a program, all its libraries and the C library itself allocate from the stage's default heap.
//
// Only the functions between push and pop are exported. The build hides all others, ma_malloc and
// its kind too (-fvisibility=hidden): a program may have functions of the same names.
// Parameters are named as in malloc(3).

#define _GNU_SOURCE // for reallocarray, valloc and pvalloc

#include "allocator.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

void cfree(void *ptr); // gone from the headers, still in the C library for old programs

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

#pragma GCC visibility push(default)

void *malloc(size_t size)
{
    return ma_malloc(size);
}

void free(void *ptr)
{
    ma_free(ptr);
}

void cfree(void *ptr)
{
    free(ptr);
}

void *calloc(size_t nmemb, size_t size)
{
    return ma_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    return ma_realloc(ptr, size);
}

void *reallocarray(void *ptr, size_t nmemb, size_t size)
{
    if (size != 0 && nmemb > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return ma_realloc(ptr, nmemb * size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return ma_aligned_alloc(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
    return ma_aligned_alloc(alignment, size);
}

// Returns its error. As in the C library, errno changes only to ENOMEM, which some programs look for
// there. ma_aligned_alloc finds what is no power of two.
int posix_memalign(void **memptr, size_t alignment, size_t size)
{
    if (alignment % sizeof(void *) != 0)
        return EINVAL;
    int errno_before = errno;
    void *payload = ma_aligned_alloc(alignment, size);
    int error = payload == NULL ? errno : 0;
    if (error != ENOMEM)
        errno = errno_before;
    if (payload != NULL)
        *memptr = payload;
    return error;
}

void *valloc(size_t size)
{
    return ma_aligned_alloc(page_size(), size);
}

void *pvalloc(size_t size)
{
    size_t page = page_size();
    if (size > SIZE_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return ma_aligned_alloc(page, (size + page - 1) / page * page);
}

size_t malloc_usable_size(void *ptr)
{
    return ma_usable_size(ptr);
}

#pragma GCC visibility pop
