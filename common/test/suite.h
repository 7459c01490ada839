/// @file
/// What the tests share: the rows of the matrix, heaps to try, contents to verify, children to
/// watch. A test knows nothing of stages: what each stage can do stands in the matrix alone.

#ifndef MA_SUITE_H
#define MA_SUITE_H

#define _DEFAULT_SOURCE // for MAP_ANONYMOUS and sbrk under -std=c11

#include "allocator.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// @name Rows
/// @{

/// Adds a row: a test case of one test, with the test's name.
void add_row(const TTest *test);

/// Adds a row whose test runs several times; its _i counts from 0.
void add_loop_row(const TTest *test, int times);

/// The rows of each area, one area a file: test_contract.c and so on. The area's name is the tag
/// of its rows: CK_INCLUDE_TAGS=contract runs those alone.
void add_contract_rows(void);
void add_heaps_rows(void);
void add_inside_rows(void);
void add_reuse_rows(void);
void add_growth_rows(void);
void add_bestfit_rows(void);
void add_coalesce_rows(void);
void add_misuse_rows(void);
void add_invariants_rows(void);
void add_threads_rows(void);
void add_cache_rows(void);
void add_random_rows(void);

/// @}
/// @name Heaps
/// @{

/// Fresh memory from the system, page-aligned and zero; it is not given back.
void *make_memory(size_t size);

/// Bytes that the process has mapped; 0 if the system does not tell.
size_t mapped_bytes(void);

/// A heap of size bytes in fresh memory. It never grows, so that it can be exhausted.
struct ma_heap *make_heap(size_t size);

/// Maps a page right behind the region of a block, so that the region cannot grow, and returns where.
void *block_the_way(const void *block);

/// ma_heap_malloc() that has to succeed.
void *take(struct ma_heap *heap, size_t size);

/// Takes blocks of size bytes until there are no more, and says how many they were.
size_t take_all(struct ma_heap *heap, size_t size);

/// Takes ever smaller blocks until nothing is left.
void exhaust(struct ma_heap *heap);

/// Fails the test unless all invariants hold and the sums of the statistics agree.
void expect_sound(struct ma_heap *heap);

/// Whether nothing that the statistics show has changed.
bool same_stats(const struct ma_stats *a, const struct ma_stats *b);

/// Every block, in address order, as ma_heap_walk() shows it.
/// @return how many there are; no more than room are written
size_t list_blocks(struct ma_heap *heap, struct ma_block *blocks, size_t room);

/// @}
/// @name Misuse
/// @{

extern char last_message[200]; ///< what note_message() was told last
extern int message_count; ///< how often it was called

/// A misuse handler that returns, for ma_set_misuse_handler().
void note_message(const char *message);

/// Fails the test unless the last message is "function(0x...): problem" with the address about.
void expect_message(const void *about, const char *function, const char *problem);

/// @}
/// @name Contents
/// @{

/// Writes a pattern that depends on seed into all size bytes.
void fill(void *payload, size_t size, unsigned seed);

/// Whether that pattern is still there.
bool is_filled(const void *payload, size_t size, unsigned seed);

bool is_zero(const void *payload, size_t size);

bool is_aligned(const void *payload, size_t alignment);

/// @}
/// @name Random numbers
/// @{

/// The next number of the sequence that *state holds; *state must not be 0 (Marsaglia's xorshift).
uint64_t next_random(uint64_t *state);

/// A number below bound.
size_t random_below(uint64_t *state, size_t bound);

/// What the environment's SEED says, or else the time.
uint64_t run_seed(void);

/// @}
/// @name Children
/// @{

/// How a child process ended, and what it wrote to standard error.
struct outcome {
    int status; ///< as from waitpid()
    char text[1024];
};

/// Runs body in a child, which exits with what body returns, or is killed after some seconds.
struct outcome run_in_child(int (*body)(void *context), void *context);

/// Fails the test unless the child exited with 0; problem says what is wrong then.
void expect_exit_0(const struct outcome *outcome, const char *problem);

/// @}

#endif
