// Memory that is freed below a block that stays goes back to the system: also when the last frees are
// at the top, while there are free blocks by the thousand, and not while it is wanted again and again.
//
// usage: giveback STAGE     (4 or 5)

#define _GNU_SOURCE // for syscall and madvise

#include "allocator.h"
#include "faults.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MIB = 1 << 20, BLOCKS_MAX = 102400, WARM_UP = 6 };

static void *blocks[BLOCKS_MAX];
static size_t page;
static int calls; // of madvise and munmap

// What the allocator calls instead of the C library's functions.
int madvise(void *address, size_t size, int advice)
{
    calls++;
    return (int)syscall(SYS_madvise, address, size, advice);
}

int munmap(void *address, size_t size)
{
    calls++;
    return (int)syscall(SYS_munmap, address, size);
}

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void touch(char *block, size_t size)
{
    for (size_t i = 0; i < size; i += page)
        block[i] = 1;
}

static void take(size_t first, size_t count, size_t size)
{
    bool all = true;
    for (size_t i = first; i < first + count; i++) {
        blocks[i] = ma_malloc(size);
        all = all && blocks[i] != NULL;
        if (blocks[i] != NULL)
            touch(blocks[i], size);
    }
    expect(all, "every block is given");
}

static void give(size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        ma_free(blocks[i]);
}

//     | 200 MiB       | stays | 50 MiB |     freed: the 200 MiB, then the 50 MiB
static int free_at_the_top_last(void)
{
    enum { SIZE = 40000, BELOW = 200 * MIB / SIZE, ABOVE = 50 * MIB / SIZE };
    take(0, BELOW, SIZE);
    void *stays = ma_malloc(SIZE);
    take(BELOW, ABOVE, SIZE);
    expect(resident_bytes() > 240 * (size_t)MIB, "250 MiB are in use");
    give(0, BELOW);
    for (size_t i = BELOW + ABOVE; i > BELOW; i--)
        ma_free(blocks[i - 1]);
    expect(resident_bytes() < 48 * (size_t)MIB, "what lies below the block that stays went back");
    ma_free(stays);
    return all_hold() ? 0 : 1;
}

// 100 MiB come and go, below a block that stays. What is always wanted again is kept in the end.
static int swing(size_t size)
{
    size_t count = 100 * (size_t)MIB / size;
    take(0, count, size);
    void *stays = ma_malloc(20000);
    long faults = 0;
    for (int i = 0; i <= WARM_UP; i++) {
        give(0, count);
        faults = page_faults();
        take(0, count, size);
        faults = page_faults() - faults;
    }
    expect((size_t)faults < 10 * (size_t)MIB / page, "memory that swings stays, in the end");
    give(0, count);
    ma_free(stays);
    return all_hold() ? 0 : 1;
}

static int swing_in_large_blocks(void)
{
    return swing(20000);
}

static int swing_in_small_blocks(void)
{
    return swing(1024);
}

//     | 70 kB | kept | 70 kB | kept | ...     freed: 3000 blocks that do not merge, in any order
static int free_blocks_apart(void)
{
    enum { SIZE = 70000, COUNT = 3000 };
    static void *kept[COUNT];
    uint64_t random = 1;
    for (size_t i = 0; i < COUNT; i++) {
        take(i, 1, SIZE);
        kept[i] = ma_malloc(10000);
    }
    size_t others = resident_bytes() - (size_t)COUNT * SIZE;
    int most = 0;
    for (size_t left = COUNT; left > 0; left--) {
        size_t chosen = random_below(&random, left);
        calls = 0;
        ma_free(blocks[chosen]);
        blocks[chosen] = blocks[left - 1];
        most = calls > most ? calls : most;
        if (left % 500 == 0)
            expect(resident_bytes() < others + left * SIZE + 48 * (size_t)MIB,
                   "memory falls at each step");
    }
    expect(most <= 16, "no call makes up for all that others did not give back");
    for (size_t i = 0; i < COUNT; i++)
        ma_free(kept[i]);
    return all_hold() ? 0 : 1;
}

int main(int count, char **arguments)
{
    (void)stage_from(count, arguments);
    page = (size_t)sysconf(_SC_PAGESIZE);
    expect(child_succeeds(free_at_the_top_last), "the last frees are at the top");
    expect(child_succeeds(swing_in_large_blocks), "100 MiB swing, in blocks of 20 kB");
    expect(child_succeeds(swing_in_small_blocks), "100 MiB swing, in blocks of 1 KiB");
    expect(child_succeeds(free_blocks_apart), "3000 free blocks that do not merge");
    return report("");
}
