// Loads a library again and again, which allocates. What one side asked for, the other frees, also
// after the library is gone. Run it under a stage's preload object.
//
// usage: dlopen STAGE path/to/library.so

#include "faults.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 50, BLOCKS = 100 };

struct library {
    void *handle;
    char *(*make)(size_t size);
    void (*free)(char *text);
};

static struct library load(const char *path)
{
    struct library library = {.handle = dlopen(path, RTLD_NOW)};
    if (library.handle == NULL) {
        (void)fprintf(stderr, "%s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    *(void **)&library.make = dlsym(library.handle, "library_make");
    *(void **)&library.free = dlsym(library.handle, "library_free");
    return library;
}

static void exchange(const struct library *library, char **blocks)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = library->make(i * 50);
        char *own = malloc(i * 50 + 1);
        mark(own, i * 50 + 1, (unsigned)i);
        expect(is_marked(own, i * 50 + 1, (unsigned)i), "the program's block is its own");
        library->free(own);
    }
}

static void free_all(char **blocks)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        expect(strlen(blocks[i]) == i * 50, "a block is there when its library is gone");
        free(blocks[i]);
    }
}

int main(int count, char **arguments)
{
    int stage = stage_from(count, arguments);
    char object[] = "/stage0.so";
    object[6] = (char)('0' + stage);
    expect(is_loaded(object), "the stage is in this process");
    for (int round = 0; round < ROUNDS && count == 3; round++) {
        char *blocks[BLOCKS];
        struct library library = load(arguments[2]);
        exchange(&library, blocks);
        if (round % 2 == 0)
            free_all(blocks);
        expect(dlclose(library.handle) == 0, "the library is unloaded");
        if (round % 2 != 0)
            free_all(blocks);
    }
    return report("");
}
