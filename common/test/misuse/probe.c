// Runs one probe: the misuse, then a fixed piece of ordinary work that notices whether the heap still
// keeps blocks apart and contents whole.
//   probe --list         the names of all probes
//   probe NAME           runs one: exit status 0 if all went well, 3 if the heap broke
// On standard output it tells the observer which addresses have which name.

#include "probe.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

enum { STATUS_BROKEN = 3, PLACES = 1024 };

unsigned char *row[ROW];
unsigned char *stack_memory;

// --- memory that the program owns ----------------------------------------------------------------

struct place {
    unsigned char *memory; // NULL: nothing here
    size_t size;
    unsigned char filling;
    bool is_blocks; // malloc's, not ours
};

static struct place places[PLACES];

// No dprintf: it allocates a buffer.
__attribute__((format(printf, 2, 3))) static void say(int file, const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (write(file, text, (size_t)length) < 0)
        _exit(2);
}

void broken(const char *what)
{
    say(STDOUT_FILENO, "broken %s\n", what);
    _exit(STATUS_BROKEN);
}

static struct place *find_place(const void *memory)
{
    for (size_t i = 0; i < PLACES; i++)
        if (places[i].memory == memory)
            return &places[i];
    say(STDERR_FILENO, "probe: %s\n", memory == NULL ? "too many blocks" : "no such block");
    _exit(2); // the probe itself is wrong
}

static bool overlaps(const struct place *place, uintptr_t address, size_t size)
{
    uintptr_t other = (uintptr_t)place->memory;
    return place->memory != NULL && address < other + place->size && other < address + size;
}

static void *keep_as(void *memory, size_t size, bool is_blocks)
{
    static unsigned char filling;
    for (size_t i = 0; i < PLACES; i++)
        if (overlaps(&places[i], (uintptr_t)memory, size))
            broken("two blocks overlap");
    *find_place(NULL) = (struct place){memory, size, ++filling, is_blocks};
    return memset(memory, filling, size);
}

void *keep(void *memory, size_t size)
{
    if (memory == NULL)
        return NULL;
    if ((uintptr_t)memory % _Alignof(max_align_t) != 0)
        broken("a block is not aligned");
    return keep_as(memory, size, true);
}

void *keep_own(void *memory, size_t size)
{
    return keep_as(memory, size, false);
}

void *take(size_t size)
{
    void *memory = keep(malloc(size), size);
    if (memory == NULL)
        broken("malloc returns NULL");
    return memory;
}

void *take_zeroed(size_t size)
{
    unsigned char *memory = calloc(1, size);
    if (memory == NULL)
        broken("calloc returns NULL");
    for (size_t i = 0; i < size; i++)
        if (memory[i] != 0)
            broken("calloc's memory is not zero");
    return keep(memory, size);
}

static void look_at(const struct place *place)
{
    for (size_t i = 0; i < place->size; i++)
        if (place->memory[i] != place->filling)
            broken("contents are lost");
}

void forget(const void *block)
{
    find_place(block)->memory = NULL;
}

void give(void *block)
{
    look_at(find_place(block));
    forget(block);
    free(block);
}

void refill(void *block)
{
    const struct place *place = find_place(block);
    memset(block, place->filling, place->size);
}

// --- the observer --------------------------------------------------------------------------------

void name_address(const char *name, const void *address)
{
    say(STDOUT_FILENO, "name %#zx %s\n", (size_t)(uintptr_t)address, name);
}

void spoil(unsigned char *from, int value, size_t bytes)
{
    say(STDOUT_FILENO, "begin\n");
    volatile unsigned char *bytes_there = from;
    for (size_t i = 0; i < bytes; i++)
        bytes_there[i] = (unsigned char)value;
    say(STDOUT_FILENO, "end\n");
}

// --- what probes share ---------------------------------------------------------------------------

static int compare_addresses(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a;
    uintptr_t y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

// No qsort: glibc's allocates.
static void sort_row(void)
{
    for (size_t i = 1; i < ROW; i++)
        for (size_t j = i; j > 0 && compare_addresses(&row[j], &row[j - 1]) < 0; j--) {
            unsigned char *moved = row[j];
            row[j] = row[j - 1];
            row[j - 1] = moved;
        }
}

void make_row(size_t size)
{
    for (size_t i = 0; i < ROW; i++)
        row[i] = take(size);
    sort_row();
    name_address("left", row[LEFT]);
    name_address("block", row[BLOCK]);
    name_address("right", row[RIGHT]);
    name_address("last", row[ROW - 1]);
}

static void *thread_free(void *block)
{
    free(block);
    return NULL;
}

void free_in_a_thread(void *block)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_free, block) != 0)
        broken("no thread");
    pthread_join(thread, NULL);
}

static void *thread_malloc_and_free(void *size)
{
    void *block = malloc(*(size_t *)size);
    free(block);
    return block;
}

void *freed_by_a_thread(size_t size)
{
    pthread_t thread;
    void *block;
    if (pthread_create(&thread, NULL, thread_malloc_and_free, &size) != 0)
        broken("no thread");
    pthread_join(thread, &block);
    return block;
}

// --- ordinary work -------------------------------------------------------------------------------

static const size_t sizes[] = {SMALL_SIZE, 24,  1000, LARGE_SIZE,     104, 3000, 64,   17,
                               5000,       200, 104,  2 * SMALL_SIZE, 104, 400,  8008, HUGE_SIZE};
enum { SIZES = sizeof sizes / sizeof sizes[0], TAKEN = 4 * SIZES };

static void *take_somehow(size_t i)
{
    size_t size = sizes[i % SIZES];
    return i % 5 == 4 ? take_zeroed(size) : take(size);
}

static void *grow(void *block, size_t size)
{
    struct place before = *find_place(block);
    look_at(&before);
    forget(block);
    unsigned char *moved = realloc(block, size);
    if (moved == NULL)
        broken("realloc returns NULL");
    before.memory = moved;
    look_at(&before);
    return keep(moved, size);
}

static void work(void)
{
    static void *taken[TAKEN];
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < TAKEN; i++)
            taken[i] = take_somehow(i);
        for (size_t i = 0; i < TAKEN; i += 2)
            give(taken[i]);
        for (size_t i = 1; i < TAKEN; i += 8)
            taken[i] = grow(taken[i], sizes[i % SIZES] * 3 / 2);
        for (size_t i = 0; i < TAKEN; i += 2)
            taken[i] = take_somehow(i);
        for (size_t i = 0; i < TAKEN; i++)
            give(taken[TAKEN - 1 - i]);
    }
}

static void give_all(void)
{
    for (size_t i = 0; i < PLACES; i++)
        if (places[i].memory != NULL)
            look_at(&places[i]);
    for (size_t i = 0; i < PLACES; i++)
        if (places[i].memory != NULL && places[i].is_blocks)
            give(places[i].memory);
}

// --- the list ------------------------------------------------------------------------------------

static const struct probe *const kinds[] = {double_frees, overflows, underflows, late_writes,
                                            correct_uses};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static const struct {
    const char *name;
    size_t bytes;
} size_names[] = {{"small", SMALL_SIZE}, {"large", LARGE_SIZE}, {"huge", HUGE_SIZE}};
enum { SIZE_NAMES = sizeof size_names / sizeof size_names[0] };

enum operation { FREE, REALLOC, USABLE, OPERATIONS };
static const char *const operation_names[] = {"free", "realloc", "usable-size"};

enum { NAME_LENGTH = 100 };

static void run_wrong(const struct wrong_pointer *wrong, enum operation operation)
{
    make_row(SMALL_SIZE);
    void *volatile pointer = wrong->make(); // volatile: the compiler would know it, and warn
    name_address("pointer", pointer);
    if (operation == FREE)
        free(pointer);
    else if (operation == REALLOC)
        keep(realloc(pointer, 200), 200);
    else
        malloc_usable_size(pointer);
}

// Runs the probe of that name, or prints all names if it is NULL. False if there is none.
static bool find_wrong(const char *wanted)
{
    for (int operation = 0; operation < OPERATIONS; operation++)
        for (const struct wrong_pointer *wrong = wrong_pointers; wrong->name != NULL; wrong++) {
            char name[NAME_LENGTH];
            snprintf(name, sizeof name, "%s.%s", operation_names[operation], wrong->name);
            if (wanted == NULL)
                puts(name);
            else if (strcmp(name, wanted) == 0) {
                run_wrong(wrong, (enum operation)operation);
                return true;
            }
        }
    return false;
}

static bool find_in_kind(const struct probe *probe, const char *wanted)
{
    for (; probe->name != NULL; probe++)
        for (size_t i = 0; i < SIZE_NAMES; i++) {
            char name[NAME_LENGTH];
            snprintf(name, sizeof name, "%s.%s", probe->name, size_names[i].name);
            if ((probe->sizes & 1 << i) == 0)
                continue;
            if (wanted == NULL)
                puts(name);
            else if (strcmp(name, wanted) == 0) {
                make_row(size_names[i].bytes);
                probe->run(probe, size_names[i].bytes);
                return true;
            }
        }
    return false;
}

static bool find(const char *wanted)
{
    bool found = find_in_kind(kinds[0], wanted) || find_wrong(wanted);
    for (size_t i = 1; i < KINDS && !found; i++)
        found = find_in_kind(kinds[i], wanted);
    return found;
}

int main(int argc, char **argv)
{
    _Alignas(max_align_t) unsigned char on_the_stack[STACK_MEMORY];
    stack_memory = on_the_stack;
    if (argc != 2) {
        say(STDERR_FILENO, "usage: probe --list | NAME\n");
        return 2;
    }
    if (strcmp(argv[1], "--list") == 0) {
        find(NULL);
        return 0;
    }
    freed_by_a_thread(1); // a thread's bookkeeping is malloc's too; the next thread finds it ready
    for (size_t i = 0; i < SIZES; i++) // blocks that are there all the time
        take(sizes[i] + 16);
    if (!find(argv[1])) {
        say(STDERR_FILENO, "probe: %s: no such probe; see probe --list\n", argv[1]);
        return 2;
    }
    work();
    give_all();
    work();
    return 0;
}
