// lock.h: one thread at a time: every operation on a heap holds its mutex
//
//     thread 1   malloc ... |===== holds =====|
//     thread 2       free ...  tries, tries   |===== holds =====|

#ifndef MA_LOCK_H
#define MA_LOCK_H

#include "heap.h"

enum {
    SPIN_MAX = 1000, // times to try for a mutex before sleeping
};

// To sleep and be woken takes longer than most operations: a thread that finds the mutex held tries
// some more before it sleeps.
static inline void heap_lock(struct ma_heap *heap)
{
    for (int tries = 0; tries < SPIN_MAX; tries++)
        if (pthread_mutex_trylock(&heap->mutex) == 0)
            return;
    pthread_mutex_lock(&heap->mutex);
}

static inline void heap_unlock(struct ma_heap *heap)
{
    pthread_mutex_unlock(&heap->mutex);
}

#endif
