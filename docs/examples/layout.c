// Where the parts of a process lie: one address from each, lowest first.

#define _DEFAULT_SOURCE // for sbrk and MAP_ANONYMOUS under -std=c11

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// [objects]
static const int constant = 1; // read-only data
static int initialised = 2; // data
static int zeroed; // bss
// [objects]

static uintptr_t show(const char *part, const char *what, uintptr_t address)
{
    printf("%-8s %-24s 0x%012jx\n", part, what, (uintmax_t)address);
    return address;
}

// The stack grows down: a function's locals lie below those of its caller. Inlining would give both
// one frame.
__attribute__((noinline)) static void show_deeper_local(uintptr_t local_of_caller)
{
    int local = 0;
    assert(show("stack", "local of a called one", (uintptr_t)&local) < local_of_caller);
}

int main(void)
{
    int local = 0;
    void *small = malloc(100);
    void *mapping = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(small != NULL && mapping != MAP_FAILED);

    uintptr_t text = show("text", "main", (uintptr_t)main);
    uintptr_t rodata = show("rodata", "static const int", (uintptr_t)&constant);
    uintptr_t data = show("data", "static int = 2", (uintptr_t)&initialised);
    uintptr_t bss = show("bss", "static int", (uintptr_t)&zeroed);
    uintptr_t block = show("heap", "malloc(100)", (uintptr_t)small);
    uintptr_t end = show("heap", "sbrk(0), its end", (uintptr_t)sbrk(0));
    uintptr_t mapped = show("mmap", "mmap(4096)", (uintptr_t)mapping);
    show_deeper_local((uintptr_t)&local);
    uintptr_t stack = show("stack", "local of main", (uintptr_t)&local);

    assert(text < rodata && rodata < data && data < bss);
    assert(bss < block && block < end && end < mapped);
    assert(mapped < stack);
    munmap(mapping, 4096);
    free(small);
    return 0;
}
