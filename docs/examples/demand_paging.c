// A mapping costs memory only where it was touched.

#define _DEFAULT_SOURCE // for mincore, madvise and MAP_ANONYMOUS under -std=c11

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGES = 16384, TOUCHED = 100 };

static unsigned char resident[PAGES]; // what mincore answers: bit 0 of each byte

static size_t resident_pages(void *memory, size_t size)
{
    size_t count = 0;
    if (mincore(memory, size, resident) != 0)
        abort();
    for (size_t i = 0; i < PAGES; i++)
        count += resident[i] & 1U;
    return count;
}

// Pages that the kernel had to provide for this process so far, none of them from a disk.
static long minor_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

int main(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = PAGES * page;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(memory != MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE); // one page at a time, not 2 MiB
    size_t mapped = resident_pages(memory, size);
    printf("mapped  %d pages: %zu resident\n", PAGES, mapped);

    // [touch]
    long faults = minor_faults();
    for (size_t i = 0; i < TOUCHED; i++)
        memory[i * page] = 1;
    faults = minor_faults() - faults;
    // [touch]
    size_t touched = resident_pages(memory, size);
    printf("touched %d pages: %zu resident, %ld page faults\n", TOUCHED, touched, faults);

    madvise(memory, size, MADV_DONTNEED);
    size_t given_back = resident_pages(memory, size);
    printf("given back: %zu resident, the first byte reads %d\n", given_back, memory[0]);

    assert(mapped == 0 && touched == TOUCHED && faults >= TOUCHED);
    assert(given_back == 0 && memory[0] == 0);
    munmap(memory, size);
    return 0;
}
