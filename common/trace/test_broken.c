// An allocator with a fault, to see that replay notices: the stage's functions under other names,
// one of them wrong. The environment variable FAULT names the fault.

#include "allocator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SOON = 5, LATER = 50 }; // the call that goes wrong

void *broken_malloc(size_t size);
void *broken_calloc(size_t count, size_t size);
void *broken_realloc(void *pointer, size_t size);
void broken_free(void *pointer);
size_t broken_usable_size(const void *pointer);
const char *broken_heap_check(struct ma_heap *heap);

static size_t calls;
static unsigned char *earlier; // a block that is live

static bool is_chosen(const char *fault)
{
    const char *chosen = getenv("FAULT");
    return chosen != NULL && strcmp(chosen, fault) == 0;
}

// Whether this is the call in which a fault shows.
static bool strikes(const char *fault, size_t when)
{
    return is_chosen(fault) && ++calls == when;
}

// Whether this is not the thread that asked first.
static bool is_foreign(void)
{
    static _Thread_local char here;
    static const char *first;
    if (first == NULL)
        first = &here;
    return first != &here;
}

void *broken_malloc(size_t size)
{
    if (strikes("refuse", LATER) || (is_foreign() && is_chosen("foreign"))) {
        errno = ENOMEM;
        return NULL;
    }
    if (strikes("overlap", LATER))
        return earlier;
    unsigned char *payload = ma_malloc(size);
    if (strikes("alignment", LATER))
        return payload + 8;
    earlier = payload;
    return payload;
}

void *broken_calloc(size_t count, size_t size)
{
    unsigned char *payload = ma_calloc(count, size);
    if (strikes("calloc", LATER))
        payload[count * size - 1] = 1;
    return payload;
}

void *broken_realloc(void *pointer, size_t size)
{
    unsigned char *payload = ma_realloc(pointer, size);
    if (strikes("realloc", LATER))
        payload[0] ^= 1;
    return payload;
}

void broken_free(void *pointer)
{
    if (strikes("twice", LATER))
        ma_free(pointer);
    if (strikes("contents", LATER) && earlier != NULL)
        earlier[0] ^= 1;
    ma_free(pointer);
}

size_t broken_usable_size(const void *pointer)
{
    if (is_chosen("overlap")) // as an allocator that does not know
        return 0;
    return strikes("usable", LATER) ? 1 : ma_usable_size(pointer);
}

const char *broken_heap_check(struct ma_heap *heap)
{
    return strikes("invariant", SOON) ? "I0: a test" : ma_heap_check(heap);
}
