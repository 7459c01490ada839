// Two threads on the default heap: the last stop of the tour.

#define _POSIX_C_SOURCE 200809L // for alarm and rand_r under -std=c11

#include "allocator.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROUNDS = 200000, // of malloc and free, for each thread
    SLOTS = 100, // blocks that a thread holds at most
    SIZE_MAX_ASKED = 400, // bytes of the largest
    PATIENCE = 10, // seconds until a heap counts as stuck
};

// Ends the process with one line. Nothing but write(2) is safe here; both threads may come.
static void end_with(const char *what)
{
    static atomic_flag ended = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&ended))
        pause(); // the other thread is ending the process
    char line[200];
    size_t length = strnlen(what, sizeof line - 1);
    memcpy(line, what, length);
    line[length] = '\n';
    bool written = write(STDOUT_FILENO, line, length + 1) >= 0;
    _exit(written ? EXIT_FAILURE : EXIT_FAILURE + 1);
}

static void hear_signal(int number)
{
    if (number == SIGALRM)
        end_with("the heap is stuck: a list has become a circle");
    if (number == SIGABRT)
        end_with("the process aborts: an assertion of the allocator failed");
    end_with("the process dies: a link leads nowhere");
}

static void listen(void)
{
    ma_set_misuse_handler(end_with);
    signal(SIGSEGV, hear_signal);
    signal(SIGBUS, hear_signal);
    signal(SIGABRT, hear_signal);
    signal(SIGALRM, hear_signal);
    alarm(PATIENCE);
}

// Each round frees one block of its own and asks for another.
static void *work(void *seed)
{
    unsigned random = *(unsigned *)seed;
    char *slots[SLOTS] = {NULL};
    for (int round = 0; round < ROUNDS; round++) {
        size_t slot = (size_t)rand_r(&random) % SLOTS;
        size_t size = (size_t)rand_r(&random) % SIZE_MAX_ASKED;
        ma_free(slots[slot]);
        slots[slot] = ma_malloc(size);
        if (slots[slot] != NULL)
            memset(slots[slot], 'x', size);
    }
    for (size_t slot = 0; slot < SLOTS; slot++)
        ma_free(slots[slot]);
    return NULL;
}

int main(void)
{
    unsigned seeds[] = {1, 2};
    pthread_t second;
    listen();
    if (pthread_create(&second, NULL, work, &seeds[1]) != 0) {
        perror("pthread_create");
        return EXIT_FAILURE;
    }
    work(&seeds[0]);
    pthread_join(second, NULL);
    const char *broken = ma_heap_check(ma_default_heap());
    if (broken != NULL) {
        printf("broken invariant: %s\n", broken);
        return EXIT_FAILURE;
    }
    struct ma_stats stats = ma_heap_stats(ma_default_heap());
    printf("%d requests each; all invariants hold; %zu blocks live, %zu in a cache\n", ROUNDS,
           stats.live_blocks, stats.cached_blocks);
    return stats.live_blocks == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
