// A table from numbers to numbers.

#define _DEFAULT_SOURCE // for MAP_ANONYMOUS under -std=c11

#include "table.h"

#include <sys/mman.h>

enum { FIRST_CAPACITY = 1024 };

void *table_map(size_t bytes)
{
    if (bytes == 0)
        return NULL;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void table_unmap(void *memory, size_t bytes)
{
    if (memory != NULL)
        munmap(memory, bytes);
}

// Multiplied by 2^64 divided by the golden ratio, neighbouring keys lie far apart (Knuth, The Art of
// Computer Programming, volume 3, section 6.4). The upper bits are the mixed ones.
static size_t home(const struct table *table, uint64_t key)
{
    return (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (table->capacity - 1);
}

// The entry of a key, or the unused one where it would go.
static struct table_entry *find(const struct table *table, uint64_t key)
{
    size_t i = home(table, key);
    while (table->entries[i].value_plus_1 != 0 && table->entries[i].key != key)
        i = (i + 1) & (table->capacity - 1);
    return &table->entries[i];
}

static bool grow(struct table *table)
{
    struct table larger = {.capacity = table->capacity == 0 ? FIRST_CAPACITY : table->capacity * 2};
    larger.entries = table_map(larger.capacity * sizeof *larger.entries);
    if (larger.entries == NULL)
        return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->entries[i].value_plus_1 != 0)
            *find(&larger, table->entries[i].key) = table->entries[i];
    larger.count = table->count;
    table_release(table);
    *table = larger;
    return true;
}

bool table_get(const struct table *table, uint64_t key, uint64_t *value)
{
    if (table->count == 0)
        return false;
    const struct table_entry *entry = find(table, key);
    if (entry->value_plus_1 == 0)
        return false;
    *value = entry->value_plus_1 - 1;
    return true;
}

bool table_put(struct table *table, uint64_t key, uint64_t value)
{
    if (table->count >= table->capacity / 2 && !grow(table))
        return false;
    struct table_entry *entry = find(table, key);
    if (entry->value_plus_1 == 0)
        table->count++;
    *entry = (struct table_entry){.key = key, .value_plus_1 = value + 1};
    return true;
}

// Moves up the entries that this one kept from their home: a removed entry leaves no mark behind.
void table_remove(struct table *table, uint64_t key)
{
    if (table->count == 0)
        return;
    size_t mask = table->capacity - 1;
    size_t gap = (size_t)(find(table, key) - table->entries);
    if (table->entries[gap].value_plus_1 == 0)
        return;
    for (size_t i = (gap + 1) & mask; table->entries[i].value_plus_1 != 0; i = (i + 1) & mask) {
        size_t distance = (i - home(table, table->entries[i].key)) & mask;
        if (distance < ((i - gap) & mask))
            continue;
        table->entries[gap] = table->entries[i];
        gap = i;
    }
    table->entries[gap].value_plus_1 = 0;
    table->count--;
}

void table_release(struct table *table)
{
    table_unmap(table->entries, table->capacity * sizeof *table->entries);
    *table = (struct table){.entries = NULL};
}
