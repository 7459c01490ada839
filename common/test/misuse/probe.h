/// @file
/// Probes: small programs that misuse malloc on purpose, each in one way, and then go on as if nothing
/// had happened. They use the C library's names, so that one binary runs on every allocator.

#ifndef MA_PROBE_H
#define MA_PROBE_H

#define _GNU_SOURCE // for malloc_usable_size, MAP_ANONYMOUS

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// The sizes that a probe runs with. Each is a multiple of 16 and 8 bytes more: on the stages and on
/// glibc, the byte after such a block belongs to the next header.
enum { SMALL = 1, LARGE = 2, HUGE = 4, UP_TO_LARGE = SMALL | LARGE, ALL = SMALL | LARGE | HUGE };
enum { SMALL_SIZE = 104, LARGE_SIZE = 40008, HUGE_SIZE = 1000008 };

/// Misuse of a block. The name is kind.what; on the command line .small, .large or .huge follows.
struct probe {
    const char *name;
    void (*run)(const struct probe *probe, size_t size);
    int sizes;
    int bytes; // what the function makes of it
    int value; // the byte that is written
};

/// A pointer that malloc never returned.
struct wrong_pointer {
    const char *name;
    void *(*make)(void);
};

/// Each ends with an entry without a name.
extern const struct probe double_frees[], overflows[], underflows[], late_writes[], correct_uses[];
extern const struct wrong_pointer wrong_pointers[];

/// @name Memory that the program owns
/// Its contents are checked when it is given back, and at the end. Memory that malloc returns must not
/// overlap any other.
/// @{

/// Eight blocks of one size, taken one after the other, in the order of their addresses. Misuse is
/// about the one in the middle; left and right lie before and after it.
enum { ROW = 8, LEFT = 2, BLOCK = 3, RIGHT = 4 };
extern unsigned char *row[ROW];

/// Takes the row, and gives its addresses names.
void make_row(size_t size);

/// A filled block, from malloc. If that gives none, the probe ends: the heap is broken.
void *take(size_t size);

/// As take(), but from calloc, whose memory must be zero.
void *take_zeroed(size_t size);

/// What malloc and its relatives returned now belongs to the program, if it is not NULL: fills it.
void *keep(void *memory, size_t size);

/// As keep(), for memory that is not malloc's. It is never freed.
void *keep_own(void *memory, size_t size);

/// Frees a block after a look at its contents.
void give(void *block);

/// The program is done with a block, or has spoilt it: nobody looks at it again, and nobody frees it.
void forget(const void *block);

/// The program has spoilt a block's contents, and fills it again.
void refill(void *block);

/// @}

/// An array in main's own frame.
enum { STACK_MEMORY = 256 };
extern unsigned char *stack_memory;

/// Tells the observer what to call an address in a message.
void name_address(const char *name, const void *address);

/// Writes to memory that the program may not write to; the observer is told, in case it is not mapped.
void spoil(unsigned char *from, int value, size_t bytes);

/// free, in another thread that ends before this returns.
void free_in_a_thread(void *block);

/// malloc and free, in another thread that ends before this returns.
void *freed_by_a_thread(size_t size);

/// The heap has lost or mixed up something: says what, and ends the program.
_Noreturn void broken(const char *what);

#endif
