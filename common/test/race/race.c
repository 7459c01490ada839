// A program for ThreadSanitizer: two threads take and free blocks of the default heap. Stages 1 to
// 4 race, and the sanitizer reports it; stage 5 does not.

#include "allocator.h"

#include <pthread.h>
#include <stddef.h>

enum { BLOCKS = 100 };

// Blocks of all sizes around the largest that a thread caches.
static void *take_and_free(void *unused)
{
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = ma_malloc(i * 20);
    for (size_t i = 0; i < BLOCKS; i++)
        ma_free(blocks[i]);
    return unused;
}

int main(void)
{
    pthread_t second;
    if (pthread_create(&second, NULL, take_and_free, NULL) != 0)
        return 1;
    take_and_free(NULL);
    return pthread_join(second, NULL);
}
