// What the tests share: heaps, contents, random numbers, children.

#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILD_SECONDS = 20 };

// --- heaps ---------------------------------------------------------------------------------------

void *make_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        ck_abort_msg("the system refuses %zu bytes", size);
    return memory;
}

struct ma_heap *make_heap(size_t size)
{
    struct ma_heap *heap = ma_heap_init(make_memory(size), size);
    ck_assert_ptr_nonnull(heap);
    return heap;
}

// If the system maps the page elsewhere, another lies there already.
void *block_the_way(const void *block)
{
    unsigned char in_memory[1];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t end = (uintptr_t)block / page * page;
    while (mincore((void *)end, page, in_memory) == 0)
        end += page;
    ck_assert(mmap((void *)end, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    return (void *)end;
}

void *take(struct ma_heap *heap, size_t size)
{
    void *payload = ma_heap_malloc(heap, size);
    if (payload == NULL)
        ck_abort_msg("no block of %zu bytes", size);
    return payload;
}

size_t take_all(struct ma_heap *heap, size_t size)
{
    size_t count = 0;
    while (ma_heap_malloc(heap, size) != NULL)
        count++;
    return count;
}

void exhaust(struct ma_heap *heap)
{
    for (size_t size = (size_t)1 << 20; size > 0; size /= 2)
        take_all(heap, size);
}

bool same_stats(const struct ma_stats *a, const struct ma_stats *b)
{
    return memcmp(a, b, sizeof *a) == 0; // all members are size_t: there is no padding
}

size_t mapped_bytes(void)
{
    char line[100] = "";
    int file = open("/proc/self/statm", O_RDONLY); // its first number: pages
    ssize_t length = read(file, line, sizeof line - 1);
    close(file);
    return length > 0 ? strtoul(line, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

static bool add_to_stats(const struct ma_block *block, void *context)
{
    struct ma_stats *sum = context;
    size_t header = (size_t)((const char *)block->payload - (const char *)block->address);
    size_t payload = block->size - header;
    sum->header_bytes += header;
    sum->live_blocks += block->state == MA_BLOCK_USED;
    sum->live_bytes += block->state == MA_BLOCK_USED ? payload : 0;
    sum->cached_blocks += block->state == MA_BLOCK_CACHED;
    sum->cached_bytes += block->state == MA_BLOCK_CACHED ? payload : 0;
    sum->free_blocks += block->state == MA_BLOCK_FREE;
    sum->free_bytes += block->state == MA_BLOCK_FREE ? payload : 0;
    if (block->state == MA_BLOCK_FREE && payload > sum->largest_free)
        sum->largest_free = payload;
    return true;
}

void expect_sound(struct ma_heap *heap)
{
    const char *broken = ma_heap_check(heap);
    if (broken != NULL)
        ck_abort_msg("ma_heap_check: %s", broken);
    struct ma_stats stats = ma_heap_stats(heap);
    struct ma_stats sum = {
        .padding_bytes = stats.padding_bytes,
        .top_bytes = stats.top_bytes,
        .region_bytes = stats.region_bytes,
    };
    ma_heap_walk(heap, add_to_stats, &sum);
    if (!same_stats(&stats, &sum))
        ck_abort_msg("ma_heap_stats and the sums over ma_heap_walk differ");
    if (stats.live_bytes + stats.free_bytes + stats.cached_bytes + stats.header_bytes +
            stats.padding_bytes + stats.top_bytes !=
        stats.region_bytes)
        ck_abort_msg("region_bytes is not the sum of its parts");
}

struct block_list {
    struct ma_block *blocks;
    size_t room;
    size_t count;
};

static bool add_to_list(const struct ma_block *block, void *context)
{
    struct block_list *list = context;
    if (list->count < list->room)
        list->blocks[list->count] = *block;
    list->count++;
    return true;
}

size_t list_blocks(struct ma_heap *heap, struct ma_block *blocks, size_t room)
{
    struct block_list list = {blocks, room, 0};
    ma_heap_walk(heap, add_to_list, &list);
    return list.count;
}

// --- contents ------------------------------------------------------------------------------------

static unsigned char pattern(size_t i, unsigned seed)
{
    return (unsigned char)(seed * 101 + i * 7 + i / 256);
}

char last_message[200];
int message_count;

void note_message(const char *message)
{
    snprintf(last_message, sizeof last_message, "%s", message);
    message_count++;
}

void expect_message(const void *about, const char *function, const char *problem)
{
    char expected[200];
    snprintf(expected, sizeof expected, "%s(0x%" PRIxPTR "): %s", function, (uintptr_t)about,
             problem);
    ck_assert_str_eq(last_message, expected);
}

void fill(void *payload, size_t size, unsigned seed)
{
    unsigned char *bytes = payload;
    for (size_t i = 0; i < size; i++)
        bytes[i] = pattern(i, seed);
}

bool is_filled(const void *payload, size_t size, unsigned seed)
{
    const unsigned char *bytes = payload;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != pattern(i, seed))
            return false;
    return true;
}

bool is_zero(const void *payload, size_t size)
{
    const unsigned char *bytes = payload;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

bool is_aligned(const void *payload, size_t alignment)
{
    return (uintptr_t)payload % alignment == 0;
}

// --- random numbers ------------------------------------------------------------------------------

uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

size_t random_below(uint64_t *state, size_t bound)
{
    return (size_t)(next_random(state) >> 11) % bound;
}

uint64_t run_seed(void)
{
    static uint64_t seed;
    const char *wanted = getenv("SEED");
    if (seed == 0)
        seed = wanted != NULL ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);
    return seed == 0 ? 1 : seed;
}

// --- children ------------------------------------------------------------------------------------

static void be_child(int (*body)(void *), void *context, int error_pipe)
{
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core); // an abort is expected: it leaves no file
    dup2(error_pipe, STDERR_FILENO);
    alarm(CHILD_SECONDS);
    _exit(body(context));
}

static void read_all(int fd, char *text, size_t room)
{
    size_t length = 0;
    ssize_t got;
    do {
        got = read(fd, text + length, room - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    text[length] = '\0';
}

struct outcome run_in_child(int (*body)(void *context), void *context)
{
    struct outcome outcome = {.status = -1};
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        be_child(body, context, ends[1]);
    close(ends[1]);
    read_all(ends[0], outcome.text, sizeof outcome.text);
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &outcome.status, 0), child);
    return outcome;
}

void expect_exit_0(const struct outcome *outcome, const char *problem)
{
    if (WIFSIGNALED(outcome->status))
        ck_abort_msg("%s: the child died of signal %d: %s", problem, WTERMSIG(outcome->status),
                     outcome->text);
    if (WEXITSTATUS(outcome->status) != 0)
        ck_abort_msg("%s: the child exited with %d: %s", problem, WEXITSTATUS(outcome->status),
                     outcome->text);
}
