// lock.h: one thread at a time: every operation on a heap holds its mutex
//
//     thread 1   malloc ... |===== holds =====|
//     thread 2       free ...  waits          |===== holds =====|

#ifndef MA_LOCK_H
#define MA_LOCK_H

#include "heap.h"

static inline void heap_lock(struct ma_heap *heap)
{
    pthread_mutex_lock(&heap->mutex);
}

static inline void heap_unlock(struct ma_heap *heap)
{
    pthread_mutex_unlock(&heap->mutex);
}

#endif
