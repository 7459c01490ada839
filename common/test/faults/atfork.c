// fork while threads allocate, in a program whose library registered handlers for fork before main
// and allocates in them. Run it under a stage's preload object. Before stage 5, without threads.
//
// usage: atfork STAGE

#define _POSIX_C_SOURCE 200809L

#include "faults.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS = 4, FORKS = 20 };

int library_handler_calls(void);

static atomic_bool stop;

static void *allocate_until_stopped(void *context)
{
    uint64_t random = (uint64_t)(uintptr_t)context + 1;
    while (!stop) {
        size_t size = random_below(&random, 5000) + 1;
        void *block = malloc(size);
        mark(block, size, 1);
        expect(is_marked(block, size, 1), "a thread's block is its own");
        free(block);
    }
    return NULL;
}

static int allocate_in_child(void)
{
    expect(library_handler_calls() % 2 == 0, "the library's handlers ran before and after");
    for (size_t size = 1; size < 100000; size += 1000) {
        void *block = malloc(size);
        mark(block, size, 1);
        expect(is_marked(block, size, 1), "the child's block is its own");
        free(block);
    }
    return all_hold() ? 0 : 1;
}

int main(int count, char **arguments)
{
    int stage = stage_from(count, arguments);
    int threads = stage == 5 ? THREADS : 0;
    pthread_t thread[THREADS];
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, allocate_until_stopped, (void *)(uintptr_t)i) != 0)
            return EXIT_FAILURE;
    for (int i = 0; i < FORKS; i++)
        expect(child_succeeds(allocate_in_child), "the child allocates");
    stop = true;
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    expect(library_handler_calls() == 2 * FORKS, "the library's handlers ran around each fork");
    return report("");
}
