// Two extremes of memory that comes and goes.
//
//     large release 512      512 MiB of mixed sizes are filled, then all freed
//     peak=563712000 after=4096000
//     large loop 200         200 times: 8 MiB, filled, freed
//     ns=123456789
//
// `after` is the memory of the process right after the last free, `peak` right before the first.

#include "measure.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1 << 20, LOOP_BYTES = 8 * MIB };

static const char usage[] = "large [--expect=OBJECT] [--limit=SECONDS] release MIB | loop TIMES";

// A block that is chosen at random leaves its place to the last one.
static void free_in_random_order(char **blocks, size_t count, struct random *random)
{
    for (; count > 0; count--) {
        size_t i = random_below(random, count);
        free(blocks[i]);
        blocks[i] = blocks[count - 1];
    }
}

static int release(size_t bytes)
{
    struct random random = {1};
    char **blocks = map_memory((bytes / 128 + 1) * sizeof *blocks);
    size_t count = 0;
    for (size_t payload = 0; payload < bytes; count++) {
        size_t size = random_size(&random);
        blocks[count] = malloc(size);
        if (blocks[count] == NULL)
            return EXIT_REFUSED;
        touch(blocks[count], 0, size);
        payload += size;
    }
    size_t peak = memory_now();
    free_in_random_order(blocks, count, &random);
    print_line("peak=%zu after=%zu", peak, memory_now());
    return EXIT_SUCCESS;
}

static int loop(size_t times)
{
    uint64_t start = processor_time();
    for (size_t i = 0; i < times; i++) {
        char *block = malloc(LOOP_BYTES);
        if (block == NULL)
            return EXIT_REFUSED;
        touch(block, 0, LOOP_BYTES);
        free(block);
    }
    print_line("ns=%" PRIu64, processor_time() - start);
    return EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    int first = measure_options(count, arguments, 2, usage);
    size_t value = number(arguments[first + 1]);
    if (strcmp(arguments[first], "release") == 0)
        return release(value * MIB);
    if (strcmp(arguments[first], "loop") == 0)
        return loop(value);
    fail(EXIT_USAGE, "usage", usage);
}
