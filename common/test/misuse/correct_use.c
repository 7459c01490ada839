// No misuse at all, only what looks like it: nothing may be said about these.

#include "probe.h"

#include <sys/wait.h>

static void nothing(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
}

static void null_pointers(const struct probe *probe, size_t size)
{
    (void)probe;
    free(NULL);
    give(keep(realloc(NULL, size), size));
    if (malloc_usable_size(NULL) != 0)
        broken("NULL has a size");
}

static void size_zero(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    void *first = malloc(0);
    void *second = calloc(0, 8);
    if (first == second)
        broken("two blocks of size 0 are one");
    free(first);
    free(second);
}

// All that malloc_usable_size allows.
static void usable_bytes(const struct probe *probe, size_t size)
{
    (void)probe;
    unsigned char *block = malloc(size - 5);
    size_t usable = malloc_usable_size(block);
    memset(block, 0x41, usable);
    free(block);
    for (size_t i = 0; i < ROW; i++)
        give(row[i]);
}

static void in_two_threads(const struct probe *probe, size_t size)
{
    (void)probe;
    forget(row[BLOCK]);
    free_in_a_thread(row[BLOCK]);
    freed_by_a_thread(size);
    take(size);
}

// Parent and child each free their own copy.
static void in_two_processes(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    pid_t child = fork();
    give(row[BLOCK]);
    if (child == 0)
        _exit(0);
    int status;
    if (waitpid(child, &status, 0) != child || status != 0)
        broken("the child fails");
}

static void alignments(const struct probe *probe, size_t size)
{
    (void)probe;
    for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
        size_t bytes = (size + alignment - 1) / alignment * alignment;
        void *block = keep(aligned_alloc(alignment, bytes), bytes);
        if (block == NULL || (uintptr_t)block % alignment != 0)
            broken("a block is not aligned");
    }
}

const struct probe correct_uses[] = {
    {"correct.nothing", nothing, ALL, 0, 0},
    {"correct.null-pointers", null_pointers, ALL, 0, 0},
    {"correct.size-0", size_zero, SMALL, 0, 0},
    {"correct.usable-bytes", usable_bytes, ALL, 0, 0},
    {"correct.in-two-threads", in_two_threads, ALL, 0, 0},
    {"correct.in-two-processes", in_two_processes, ALL, 0, 0},
    {"correct.alignments", alignments, ALL, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
