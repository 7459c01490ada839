// Makes traces up: usage() says how. The same seed gives the same trace, everywhere.
//
// Every generator frees all its blocks in the end, and writes no more operations than it was asked
// for: it stops to allocate when what is left is needed for the frees.

#define _GNU_SOURCE // for getopt_long

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPERATIONS = 100000, // if nobody says how many
    OPERATIONS_MIN = 5000, // room for one round of every generator
    OPERATIONS_MAX = 100000000,
    KIB = 1024,
};

struct block {
    uint64_t id;
    size_t size;
};

// A trace in the making, and the blocks that are live in it, oldest first unless one is taken out of
// the middle.
struct maker {
    FILE *out;
    uint64_t random; // state
    size_t operations; // no more than these
    size_t written;
    uint64_t next_id;
    struct block *live;
    size_t first; // of live
    size_t end; // of live
};

// --- random numbers -------------------------------------------------------------------------------

// splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
static uint64_t next_random(struct maker *maker)
{
    uint64_t mixed = maker->random += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

// 0 to limit - 1. The bias of the remainder is below 2^-32 for all limits in use.
static size_t below(struct maker *maker, size_t limit)
{
    return (size_t)(next_random(maker) % limit);
}

static size_t between(struct maker *maker, size_t low, size_t high)
{
    return low + below(maker, high - low + 1);
}

// As programs ask: half of the requests below 32 bytes, each doubling half as often, to 64 KiB.
static size_t mixed_size(struct maker *maker)
{
    size_t low = 16;
    while (low < 32 * (size_t)KIB && below(maker, 2) == 0)
        low *= 2;
    return low + below(maker, low);
}

// --- operations -----------------------------------------------------------------------------------

static size_t live_count(const struct maker *maker)
{
    return maker->end - maker->first;
}

// Whether there is room for some allocations and their frees, beside the frees that are due.
static bool room_for(const struct maker *maker, size_t allocations)
{
    return maker->written + live_count(maker) + 2 * allocations <= maker->operations;
}

static void write_thread(struct maker *maker, unsigned thread)
{
    if (thread != 0)
        fprintf(maker->out, " %u", thread);
    putc('\n', maker->out);
    maker->written++;
}

static void allocate_by(struct maker *maker, size_t size, unsigned thread)
{
    struct block block = {.id = maker->next_id++, .size = size};
    maker->live[maker->end++] = block;
    fprintf(maker->out, "a %" PRIu64 " %zu", block.id, size);
    write_thread(maker, thread);
}

static void allocate(struct maker *maker, size_t size)
{
    allocate_by(maker, size, 0);
}

static void resize(struct maker *maker, size_t index, size_t size)
{
    struct block *block = &maker->live[maker->first + index];
    block->size = size;
    fprintf(maker->out, "r %" PRIu64 " %zu", block->id, size);
    write_thread(maker, 0);
}

static void write_free(struct maker *maker, struct block block, unsigned thread)
{
    fprintf(maker->out, "f %" PRIu64, block.id);
    write_thread(maker, thread);
}

static void free_oldest_by(struct maker *maker, unsigned thread)
{
    write_free(maker, maker->live[maker->first++], thread);
}

static void free_newest(struct maker *maker)
{
    write_free(maker, maker->live[--maker->end], 0);
}

// Frees one block; the newest takes its place in the list.
static void free_at(struct maker *maker, size_t index)
{
    struct block *place = &maker->live[maker->first + index];
    struct block block = *place;
    *place = maker->live[--maker->end];
    write_free(maker, block, 0);
}

static void free_random(struct maker *maker)
{
    free_at(maker, below(maker, live_count(maker)));
}

// Frees the blocks from an index on, the oldest of them first.
static void free_from(struct maker *maker, size_t index)
{
    for (size_t i = maker->first + index; i < maker->end; i++)
        write_free(maker, maker->live[i], 0);
    maker->end = maker->first + index;
}

// A tenth of the operations build up what is live, if that is not too much to look at.
static size_t steady_count(const struct maker *maker, size_t most)
{
    size_t tenth = maker->operations / 10;
    return tenth == 0 ? 1 : tenth < most ? tenth : most;
}

// --- generators -----------------------------------------------------------------------------------

typedef size_t size_source(struct maker *maker);

static void churn_with(struct maker *maker, size_source *size)
{
    size_t steady = steady_count(maker, 10000);
    while (room_for(maker, 1)) {
        if (live_count(maker) >= steady)
            free_random(maker);
        else
            allocate(maker, size(maker));
    }
}

static void churn(struct maker *maker)
{
    churn_with(maker, mixed_size);
}

static size_t bimodal_size(struct maker *maker)
{
    if (below(maker, 10) == 0)
        return between(maker, 8 * (size_t)KIB, 64 * (size_t)KIB);
    return between(maker, 16, 64);
}

static void bimodal(struct maker *maker)
{
    churn_with(maker, bimodal_size);
}

static void grow(struct maker *maker)
{
    while (room_for(maker, 1)) {
        if (live_count(maker) != 0 && below(maker, 3) == 0)
            free_random(maker);
        else
            allocate(maker, mixed_size(maker));
    }
}

// A stack that is pushed and popped in runs, as calls of functions come and go.
static void lifo(struct maker *maker)
{
    while (room_for(maker, 1)) {
        for (size_t run = between(maker, 1, 64); run > 0 && room_for(maker, 1); run--)
            allocate(maker, mixed_size(maker));
        for (size_t run = between(maker, 1, 64); run > 0 && live_count(maker) > 0; run--)
            free_newest(maker);
    }
    while (live_count(maker) > 0)
        free_newest(maker);
}

static void fifo(struct maker *maker)
{
    size_t steady = steady_count(maker, 1000);
    while (room_for(maker, 1)) {
        if (live_count(maker) >= steady)
            free_oldest_by(maker, 0);
        else
            allocate(maker, mixed_size(maker));
    }
}

// One vector after the other grows by half, from 16 bytes to 1 MiB, while small blocks come. At most
// some hundred of them stay.
static void vector(struct maker *maker)
{
    enum { FACTORS = 28, STAYING = 500 }; // 1.5^28 is more than 2^16
    while (room_for(maker, FACTORS * 2)) {
        size_t index = live_count(maker);
        allocate(maker, 16);
        for (size_t size = 16; size < 1024 * (size_t)KIB; size = size * 3 / 2) {
            resize(maker, index, size * 3 / 2);
            allocate(maker, between(maker, 16, 256));
        }
        free_at(maker, index);
        while (live_count(maker) > STAYING)
            free_oldest_by(maker, 0);
    }
}

// Many strings, to each of which something is added in turn; one of 4 KiB is finished.
static void strings(struct maker *maker)
{
    size_t steady = steady_count(maker, 500);
    while (room_for(maker, 1)) {
        if (live_count(maker) < steady) {
            allocate(maker, between(maker, 1, 32));
            continue;
        }
        size_t index = below(maker, live_count(maker));
        size_t size = maker->live[maker->first + index].size;
        if (size < 4 * (size_t)KIB)
            resize(maker, index, size + between(maker, 1, 128));
        else
            free_at(maker, index);
    }
}

static void one_block(struct maker *maker)
{
    while (room_for(maker, 1)) {
        allocate(maker, 1000);
        free_newest(maker);
    }
}

// Blocks of 16 KiB are freed, requests of 16 bytes come. Each takes a free block as it is, if blocks
// are not split, and the next large ones need new memory.
static void swallow(struct maker *maker)
{
    enum { COUNT = 50 };
    while (room_for(maker, 2 * COUNT)) {
        size_t start = live_count(maker);
        for (int i = 0; i < COUNT; i++)
            allocate(maker, 16 * (size_t)KIB);
        free_from(maker, start);
        for (int i = 0; i < COUNT; i++)
            allocate(maker, 16);
    }
}

// Small blocks, 16 bytes larger each time, are all freed before blocks of 16 KiB are asked for. If
// free neighbours do not merge, the small ones break up the large ones, and nothing repairs that.
static void shatter(struct maker *maker)
{
    enum { SMALL = 1000, LARGE = 20 };
    for (size_t size = 32; room_for(maker, SMALL + LARGE); size += 16) {
        for (int i = 0; i < SMALL; i++)
            allocate(maker, size);
        free_from(maker, 0);
        for (int i = 0; i < LARGE; i++)
            allocate(maker, 16 * (size_t)KIB);
        free_from(maker, 0);
    }
}

// Each large block is shrunk to a small one, which stays, as soon as the next large one lies behind it.
// The gap is too small for another large block, and what lies around it is never freed.
static void pins(struct maker *maker)
{
    allocate(maker, 2000);
    while (maker->written + live_count(maker) + 3 <= maker->operations) {
        allocate(maker, 2000);
        resize(maker, live_count(maker) - 2, 16);
    }
}

// Threads 0 and 1 allocate, threads 2 and 3 free, in turns of some blocks each.
static void producer(struct maker *maker)
{
    while (room_for(maker, 1)) {
        unsigned number = (unsigned)below(maker, 2);
        if (live_count(maker) < 256 && below(maker, 2) == 0)
            for (size_t run = between(maker, 1, 32); run > 0 && room_for(maker, 1); run--)
                allocate_by(maker, mixed_size(maker), number);
        else
            for (size_t run = between(maker, 1, 32); run > 0 && live_count(maker) > 0; run--)
                free_oldest_by(maker, 2 + number);
    }
    while (live_count(maker) > 0)
        free_oldest_by(maker, 2);
}

struct generator {
    const char *name;
    void (*make)(struct maker *maker);
    const char *description;
};

static const struct generator generators[] = {
    {"churn", churn, "steady: a block goes, a block comes; mixed sizes"},
    {"grow", grow, "two blocks come for each that goes"},
    {"lifo", lifo, "a stack: the newest block goes first"},
    {"fifo", fifo, "a queue: the oldest block goes first"},
    {"bimodal", bimodal, "churn of small blocks and, one in ten, large ones"},
    {"vector", vector, "realloc: a vector that grows by half, again and again"},
    {"strings", strings, "realloc: hundreds of strings that grow a little in turn"},
    {"one-block", one_block, "against stage 1: one block, allocated and freed for ever"},
    {"swallow", swallow, "against stage 2: small requests take large blocks whole"},
    {"shatter", shatter, "against stage 3: small blocks, all freed, then large requests"},
    {"pins", pins, "against stages 4 and 5: large blocks that shrink and stay"},
    {"producer", producer, "4 threads: two allocate, the others free"},
};

enum { GENERATORS = sizeof generators / sizeof generators[0] };

// --- the command line -----------------------------------------------------------------------------

static int usage(void)
{
    fprintf(stderr,
            "usage: generate [--seed=N] [--operations=N] [--out=FILE] NAME\n"
            "       generate --list\n"
            "N operations are at least %d and at most %d.\n",
            OPERATIONS_MIN, OPERATIONS_MAX);
    return 2;
}

static int list(void)
{
    for (size_t i = 0; i < GENERATORS; i++)
        printf("%-10s %s\n", generators[i].name, generators[i].description);
    return 0;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *number = value;
    return '0' <= text[0] && text[0] <= '9' && *end == '\0' && errno == 0 && value <= max;
}

static int make(const struct generator *generator, struct maker *maker, uint64_t seed)
{
    maker->random = seed;
    maker->live = calloc(maker->operations + 1, sizeof *maker->live);
    if (maker->live == NULL) {
        perror("generate");
        return 1;
    }
    fprintf(maker->out, "# generated: %s, seed %" PRIu64 ", at most %zu operations\n",
            generator->name, seed, maker->operations);
    generator->make(maker);
    free_from(maker, 0);
    free(maker->live);
    if (fflush(maker->out) != 0 || ferror(maker->out)) {
        perror("generate");
        return 1;
    }
    return 0;
}

static const struct generator *find_generator(const char *name)
{
    for (size_t i = 0; i < GENERATORS; i++)
        if (strcmp(name, generators[i].name) == 0)
            return &generators[i];
    fprintf(stderr, "generate: '%s': unknown; generate --list shows what there is\n", name);
    return NULL;
}

static const struct option long_options[] = {
    {"seed", required_argument, NULL, 's'},
    {"operations", required_argument, NULL, 'n'},
    {"out", required_argument, NULL, 'o'},
    {"list", no_argument, NULL, 'l'},
    {NULL, 0, NULL, 0},
};

static int generate(const char *name, struct maker *maker, const char *out, uint64_t seed)
{
    const struct generator *generator = find_generator(name);
    if (generator == NULL)
        return 2;
    maker->out = out == NULL ? stdout : fopen(out, "w");
    if (maker->out == NULL) {
        fprintf(stderr, "generate: %s: %s\n", out, strerror(errno));
        return 2;
    }
    int status = make(generator, maker, seed);
    if (out != NULL && fclose(maker->out) != 0) {
        fprintf(stderr, "generate: %s: %s\n", out, strerror(errno));
        status = 1;
    }
    return status;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    uint64_t operations = OPERATIONS;
    const char *out = NULL;
    int option;
    bool good = true;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'l')
            return list();
        if (option == 's')
            good = good && parse_number(optarg, UINT64_MAX, &seed);
        else if (option == 'n')
            good = good && parse_number(optarg, OPERATIONS_MAX, &operations) &&
                   operations >= OPERATIONS_MIN;
        else if (option == 'o')
            out = optarg;
        else
            good = false;
    }
    if (!good || optind + 1 != argc)
        return usage();
    struct maker maker = {.operations = (size_t)operations};
    return generate(argv[optind], &maker, out, seed);
}
