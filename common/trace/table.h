// A table from numbers to numbers, in memory from mmap: the parser finds a trace's ids by it, the
// recorder a program's blocks. Neither may call the allocator that it serves.

#ifndef MA_TRACE_TABLE_H
#define MA_TRACE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Memory of zero bytes from mmap; pages that nobody touches cost nothing.
/// @return NULL if the system refuses, or for 0 bytes
void *table_map(size_t bytes);

/// Gives memory of table_map() back; NULL does nothing.
void table_unmap(void *memory, size_t bytes);

/// One key and its value.
struct table_entry {
    uint64_t key;
    uint64_t value_plus_1; ///< 0: the entry is unused
};

/// A hash table with linear probing, at most half full. It begins as all zero.
struct table {
    struct table_entry *entries;
    size_t capacity; ///< a power of two, or 0
    size_t count;
};

/// The value of a key.
/// @return false if the key is not there
bool table_get(const struct table *table, uint64_t key, uint64_t *value);

/// Adds a key, or gives it another value.
/// @param value below UINT64_MAX
/// @return false if there is no memory; the table is as before then
bool table_put(struct table *table, uint64_t key, uint64_t value);

/// Removes a key; one that is not there is no mistake.
void table_remove(struct table *table, uint64_t key);

/// Gives the table's memory back.
void table_release(struct table *table);

#endif
