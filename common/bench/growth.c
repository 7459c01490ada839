// What an operation costs when many blocks are live. Fills the heap with LIVE blocks of mixed sizes, then
// replaces blocks, one free and one malloc for each, and measures PAIRS of those.
//
//     growth random 100000 1000000    a block chosen at random: it is in no cache of the processor
//     growth oldest 100000 1000000    the block that has lived longest: memory is gone through in order
//     ns=98765432 own=12345678 pairs=1000000 memory=13107200 payload=9216000
//
// Before that as many blocks are replaced as are live, at most 3 * PAIRS, so that what is measured is a
// heap in use and not a fresh one. `own` is the time of the same loop without free and malloc: it chooses a
// block and reads it, as a program does before it frees one, and misses the processor's cache as often.
// What the allocator costs is ns - own.

#include "measure.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct held {
    char *block;
    size_t size;
};

struct growth {
    struct random random;
    struct held *blocks;
    size_t live;
    bool oldest; // first
    size_t turn; // whose it is to be replaced, if the oldest comes first
    size_t payload;
    unsigned seen; // of what was read
};

// 15 of 16 up to 128 bytes, the others up to 1 KiB.
static size_t mixed_size(struct random *random)
{
    size_t bound = random_below(random, 16) > 0 ? 128 : 1024;
    return 1 + random_below(random, bound);
}

static void put(struct growth *growth, size_t index)
{
    size_t size = mixed_size(&growth->random);
    char *block = malloc(size);
    if (block == NULL)
        fail(EXIT_REFUSED, "growth", "a request was refused");
    block[0] = 1;
    growth->blocks[index] = (struct held){block, size};
    growth->payload += size;
}

// The block to be replaced, read.
static size_t choose(struct growth *growth)
{
    size_t i = random_below(&growth->random, growth->live);
    if (growth->oldest)
        i = growth->turn++ % growth->live;
    growth->seen += (unsigned char)growth->blocks[i].block[0];
    return i;
}

static void replace_blocks(struct growth *growth, size_t pairs)
{
    for (size_t pair = 0; pair < pairs; pair++) {
        size_t i = choose(growth);
        growth->payload -= growth->blocks[i].size;
        free(growth->blocks[i].block);
        put(growth, i);
    }
}

static void only_choose(struct growth *growth, size_t pairs)
{
    for (size_t pair = 0; pair < pairs; pair++) {
        size_t i = choose(growth);
        growth->blocks[i].size = 1 + growth->blocks[i].size / 2;
        growth->payload += mixed_size(&growth->random);
    }
}

static uint64_t time_of(struct growth *growth, void work(struct growth *, size_t), size_t pairs)
{
    uint64_t start = processor_time();
    work(growth, pairs);
    return processor_time() - start;
}

int main(int count, char **arguments)
{
    static const char usage[] =
        "growth [--expect=OBJECT] [--limit=SECONDS] random|oldest LIVE PAIRS";
    int first = measure_options(count, arguments, 3, usage);
    const char *order = arguments[first];
    size_t pairs = number(arguments[first + 2]);
    struct growth growth = {.random = {1}, .live = number(arguments[first + 1])};
    growth.oldest = strcmp(order, "oldest") == 0;
    if (!growth.oldest && strcmp(order, "random") != 0)
        fail(EXIT_USAGE, "usage", usage);
    growth.blocks = map_memory(growth.live * sizeof *growth.blocks);
    for (size_t i = 0; i < growth.live; i++) {
        put(&growth, i);
        touch(growth.blocks[i].block, 0, growth.blocks[i].size);
    }
    replace_blocks(&growth, growth.live < 3 * pairs ? growth.live : 3 * pairs);
    uint64_t ns = time_of(&growth, replace_blocks, pairs);
    size_t memory = memory_now(), payload = growth.payload;
    print_line("ns=%" PRIu64 " own=%" PRIu64 " pairs=%zu memory=%zu payload=%zu", ns,
               time_of(&growth, only_choose, pairs), pairs, memory, payload);
    return EXIT_SUCCESS;
}
