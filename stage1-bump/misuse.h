// misuse.h: how misuse is noted, and how the program is told
//
//     ma_heap_free(heap, p)
//         heap_free      notes what is wrong with p, and changes nothing
//         heap_leave     the heap is at rest again: now the program is told
//
// The line names the call, the pointer and the problem: "ma_heap_free(0x7f0012345678): double
// free".

#ifndef MA_MISUSE_H
#define MA_MISUSE_H

#include "heap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LINE_LENGTH = 160, // bytes of the longest message, with room to spare
};

static ma_misuse_handler *misuse_handler; // NULL: write and abort

ma_misuse_handler *ma_set_misuse_handler(ma_misuse_handler *handler)
{
    ma_misuse_handler *before = misuse_handler;
    misuse_handler = handler;
    return before;
}

// One write(2), so that lines of several processes do not mix. Nothing here may allocate: snprintf
// does not, for strings and integers.
static void write_line(const char *message)
{
    char line[LINE_LENGTH + 1];
    int length = snprintf(line, sizeof line, "%s\n", message);
    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        return; // nobody is left to be told
}

static inline void warn_of_live_blocks(const struct ma_heap *heap, size_t live)
{
    char message[LINE_LENGTH];
    snprintf(message, sizeof message, "ma_heap_destroy(0x%" PRIxPTR "): %zu block%s still live",
             (uintptr_t)heap, live, live == 1 ? "" : "s");
    write_line(message);
}

static inline void note_misuse(struct ma_heap *heap, const void *pointer, const char *problem)
{
    heap->problem = problem;
    heap->problem_at = pointer;
}

static void report_misuse(struct ma_heap *heap, const char *call)
{
    char message[LINE_LENGTH];
    snprintf(message, sizeof message, "ma_%s%s(0x%" PRIxPTR "): %s",
             is_default(heap) ? "" : "heap_", call, (uintptr_t)heap->problem_at, heap->problem);
    heap->problem = NULL;
    ma_misuse_handler *handler = misuse_handler;
    if (handler != NULL) {
        handler(message);
        return;
    }
    write_line(message);
    abort();
}

// Begins every call on a heap. Until stage 5 there is nothing to do: there it takes the mutex.
static inline void heap_enter(struct ma_heap *heap)
{
    (void)heap;
}

// Ends every call on a heap.
static inline void heap_leave(struct ma_heap *heap, const char *call)
{
    if (heap->problem != NULL)
        report_misuse(heap, call);
}

#endif
