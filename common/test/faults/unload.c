// A library that brings an allocator along is unloaded. Then a thread that has used it ends.
//
// usage: unload STAGE path/to/preload/stageN.so

#define _POSIX_C_SOURCE 200809L // for barriers under -std=c11

#include "faults.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 20, BLOCKS = 100 };

static void *(*library_malloc)(size_t size);
static void (*library_free)(void *payload);
static pthread_barrier_t turn;

static void allocate(void)
{
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        mark(blocks[i] = library_malloc(i * 20), i * 20, (unsigned)i);
    for (size_t i = 0; i < BLOCKS; i++) {
        expect(is_marked(blocks[i], i * 20, (unsigned)i),
               "the library's blocks keep their contents");
        library_free(blocks[i]);
    }
}

static void *outlive_the_library(void *unused)
{
    allocate();
    pthread_barrier_wait(&turn); // now the library is unloaded
    pthread_barrier_wait(&turn);
    return unused;
}

int main(int count, char **arguments)
{
    (void)stage_from(count, arguments);
    pthread_barrier_init(&turn, NULL, 2);
    for (int round = 0; round < ROUNDS && count == 3; round++) {
        pthread_t thread;
        void *library = dlopen(arguments[2], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            (void)fprintf(stderr, "%s\n", dlerror());
            return EXIT_FAILURE;
        }
        *(void **)&library_malloc = dlsym(library, "malloc");
        *(void **)&library_free = dlsym(library, "free");
        expect(pthread_create(&thread, NULL, outlive_the_library, NULL) == 0, "there is a thread");
        pthread_barrier_wait(&turn);
        allocate();
        expect(dlclose(library) == 0 && !is_loaded(arguments[2]), "the library is gone");
        pthread_barrier_wait(&turn);
        expect(pthread_join(thread, NULL) == 0, "the thread ends well");
    }
    return report("");
}
