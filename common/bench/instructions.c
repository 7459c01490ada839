// A fixed sequence of requests, for callgrind to count the instructions inside malloc and free. It
// measures nothing itself: common/bench/instructions runs it and reads what callgrind wrote.
//
//     instructions small    blocks of 16 to 256 bytes, 2000 of them live: what most programs do
//     instructions mixed    sizes as programs ask for them, 1 byte to 32 KiB, 10000 blocks live
//     instructions waves    20000 blocks of mixed sizes, then all of them freed, five times
//
// Linked with a stage's library; built with -Dma_malloc=malloc -Dma_free=free for other allocators.

#include "measure.h"

#include "allocator.h"

#include <stdlib.h>
#include <string.h>

enum { PAIRS = 100000, SMALL_LIVE = 2000, MIXED_LIVE = 10000, WAVE = 20000 };

struct run {
    struct random random;
    void **blocks;
    size_t live;
};

static size_t small_size(struct random *random)
{
    return 16 + random_below(random, 241);
}

static void put(struct run *run, size_t index, size_t size)
{
    char *block = ma_malloc(size);
    if (block == NULL)
        fail(EXIT_REFUSED, "instructions", "a request was refused");
    block[0] = 1;
    run->blocks[index] = block;
}

// Fills the table, then replaces blocks chosen at random, then frees all.
static void churn(struct run *run, size_t size_of(struct random *))
{
    for (size_t i = 0; i < run->live; i++)
        put(run, i, size_of(&run->random));
    for (size_t pair = run->live; pair < PAIRS; pair++) {
        size_t i = random_below(&run->random, run->live);
        ma_free(run->blocks[i]);
        put(run, i, size_of(&run->random));
    }
    for (size_t i = 0; i < run->live; i++)
        ma_free(run->blocks[i]);
}

// Frees in another order than the blocks came in.
static void waves(struct run *run)
{
    for (size_t pair = 0; pair < PAIRS; pair += run->live) {
        for (size_t i = 0; i < run->live; i++)
            put(run, i, random_size(&run->random));
        for (size_t i = 0; i < run->live; i++)
            ma_free(run->blocks[i * 7919 % run->live]);
    }
}

static void *table[WAVE];

int main(int count, char **arguments)
{
    const char *pattern = count == 2 ? arguments[1] : "";
    struct run run = {.random = {.state = 1}, .blocks = table};
    if (strcmp(pattern, "small") == 0) {
        run.live = SMALL_LIVE;
        churn(&run, small_size);
    } else if (strcmp(pattern, "mixed") == 0) {
        run.live = MIXED_LIVE;
        churn(&run, random_size);
    } else if (strcmp(pattern, "waves") == 0) {
        run.live = WAVE;
        waves(&run);
    } else {
        fail(EXIT_USAGE, "usage", "instructions small|mixed|waves");
    }
    return EXIT_SUCCESS;
}
