// A library that allocates: when it is loaded, when it is called, in its handlers for fork, when it is
// unloaded. What it hands out its caller may free, and the other way round.

#define _POSIX_C_SOURCE 200809L // for strdup under -std=c11

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

char *library_make(size_t size);
void library_free(char *text);
int library_handler_calls(void);

static char *kept;
static int handler_calls;

char *library_make(size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        return NULL;
    memset(text, 'l', size);
    text[size] = '\0';
    return text;
}

void library_free(char *text)
{
    free(text);
}

int library_handler_calls(void)
{
    return handler_calls;
}

static void allocate_in_handler(void)
{
    for (size_t size = 0; size < 5000; size += 100)
        library_free(library_make(size));
    free(kept);
    kept = strdup("after fork");
    handler_calls++;
}

__attribute__((constructor)) static void library_begin(void)
{
    kept = strdup("loaded");
    pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler);
}

__attribute__((destructor)) static void library_end(void)
{
    free(kept);
}
