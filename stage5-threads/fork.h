// fork.h: a child process can use every heap
//
// Only the forking thread lives on in the child. It takes all mutexes before, so that no heap is
// copied halfway through an operation of a thread that is gone:
//
//     all_heaps --> heap --> heap --> default_heap

#ifndef MA_FORK_H
#define MA_FORK_H

#include "lock.h"

static struct ma_heap *all_heaps = &default_heap;
static pthread_mutex_t all_heaps_mutex = PTHREAD_MUTEX_INITIALIZER;

static inline void heap_register(struct ma_heap *heap)
{
    pthread_mutex_init(&heap->mutex, NULL);
    pthread_mutex_lock(&all_heaps_mutex);
    heap->next_heap = all_heaps;
    all_heaps->prev_heap = heap;
    all_heaps = heap;
    pthread_mutex_unlock(&all_heaps_mutex);
}

static inline void heap_forget(struct ma_heap *heap)
{
    pthread_mutex_lock(&all_heaps_mutex);
    heap->next_heap->prev_heap = heap->prev_heap; // there is one: the default heap is the last
    if (heap->prev_heap != NULL)
        heap->prev_heap->next_heap = heap->next_heap;
    else
        all_heaps = heap->next_heap;
    pthread_mutex_unlock(&all_heaps_mutex);
    pthread_mutex_destroy(&heap->mutex);
}

static inline void before_fork(void)
{
    pthread_mutex_lock(&all_heaps_mutex);
    for (struct ma_heap *heap = all_heaps; heap != NULL; heap = heap->next_heap)
        pthread_mutex_lock(&heap->mutex);
}

// In the parent and in the child.
static inline void after_fork(void)
{
    for (struct ma_heap *heap = all_heaps; heap != NULL; heap = heap->next_heap)
        pthread_mutex_unlock(&heap->mutex);
    pthread_mutex_unlock(&all_heaps_mutex);
}

// Runs when the program is loaded, before it can start a thread.
__attribute__((constructor(101))) static void fork_begin(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

#endif
