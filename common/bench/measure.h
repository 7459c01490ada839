// What the measuring programs share: the clock, peak memory, tables that no allocator knows of, and
// the proof that the contestant is the allocator that runs.

#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXIT_USAGE = 2, // wrong arguments, or an input that cannot be read
    EXIT_CONTESTANT = 3, // the allocator that runs is not the one that was asked for
    EXIT_REFUSED = 4, // a request was refused: the figures would be of less work than the others'
    EXIT_LIMIT = 5, // it took too long
    TOUCH_STEP = 64, // bytes; one word is written in each: a cache line on x86-64
};

// Nanoseconds since some start, of a clock that only runs forward.
uint64_t now(void);

// Nanoseconds that this process has had of a processor, in the kernel too.
uint64_t processor_time(void);

// Pseudo-random numbers, the same on every machine (splitmix64 by Sebastiano Vigna).
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *random);
size_t random_below(struct random *random, size_t bound);

// A size as programs ask for them: 7 of 8 up to 128 bytes, nearly all others up to 2 KiB, a few up to
// 32 KiB.
size_t random_size(struct random *random);

// Memory of its own mapping, all pages present, zero. Ends the program if the system refuses.
void *map_memory(size_t bytes);

// Bytes of all tables: what a measuring program adds to the memory of its process.
size_t mapped_bytes(void);

// Anonymous memory of the process in bytes, without the tables: now; and at most since
// memory_reset. What files back, such as code, does not count.
size_t memory_now(void);
size_t memory_peak(void);
void memory_reset(void);

// The options that all measuring programs have. --expect=OBJECT: malloc and its relatives must come from
// the file of that name, its directory not counted, else the program ends with EXIT_CONTESTANT.
// --limit=SECONDS: the program ends with EXIT_LIMIT after that time. Answers with the index of the
// first other argument, and ends the program with EXIT_USAGE unless `wanted` of them are there.
int measure_options(int count, char **arguments, int wanted, const char *usage);

// Called before measure_options: the program has --rounds=N as well, and N goes to *rounds.
void measure_rounds(size_t *rounds);

// Does with a fresh block of memory what a program does: fills it. One word in every TOUCH_STEP bytes
// and the last byte are written, from offset `from` on.
void touch(char *block, size_t from, size_t size);

// Prints a line on standard output, as printf does, but without its buffer, which would be allocated.
__attribute__((format(printf, 1, 2))) void print_line(const char *format, ...);

// A number from the command line. Ends the program with EXIT_USAGE if it is none.
size_t number(const char *text);

// Ends the program after a line on standard error.
_Noreturn void fail(int status, const char *what, const char *detail);

#endif
