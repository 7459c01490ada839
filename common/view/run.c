// Runs the statements of a script on a heap in static memory.

#define _POSIX_C_SOURCE 200809L // for dup, dup2 and open under -std=c11

#include "run.h"

#include "allocator.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ORIGIN_ALIGNMENT = 64 * 1024, // so that an offset shows what its address is a multiple of
    WRITTEN = 'w', // the byte that write stores
};

static unsigned char memory[RUN_SIZE_MAX + 2 * ORIGIN_ALIGNMENT];
static char misuse[RUN_NOTE_MAX]; // what the handler heard last, or ""

static_assert(RUN_SIZE_MIN == MA_HEAP_MIN, "the smallest heap has room for its bookkeeping");

// --- the heap ------------------------------------------------------------------------------------

static void hear_misuse(const char *message)
{
    snprintf(misuse, sizeof misuse, "%s", message);
}

// Bytes that a heap's bookkeeping takes at the start of its region.
static size_t bookkeeping_bytes(unsigned char *start)
{
    struct ma_heap *heap = ma_heap_init(start, ORIGIN_ALIGNMENT);
    size_t padding = ma_heap_stats(heap).padding_bytes;
    ma_heap_destroy(heap);
    return padding - padding % _Alignof(max_align_t);
}

bool run_begin(struct run *run, const struct script *script, size_t size)
{
    size_t past = (uintptr_t)memory % ORIGIN_ALIGNMENT;
    unsigned char *start = memory + (past == 0 ? 0 : ORIGIN_ALIGNMENT - past);
    unsigned char *origin = start + ORIGIN_ALIGNMENT;
    size_t bookkeeping = bookkeeping_bytes(start);
    memset(start, 0, ORIGIN_ALIGNMENT + size); // the same, however often it begins
    *run = (struct run){
        .script = script,
        .heap = ma_heap_init(origin - bookkeeping, bookkeeping + size),
        .origin = (uintptr_t)origin,
        .size = size,
        .variables = calloc(script->name_count + 1, sizeof *run->variables),
    };
    ma_set_misuse_handler(hear_misuse);
    if (run->variables == NULL)
        run_end(run);
    return run->variables != NULL;
}

// Ends a heap without its warning of live blocks: the pictures have shown them.
static void destroy_quietly(struct ma_heap *heap)
{
    int errors = dup(STDERR_FILENO);
    int nowhere = open("/dev/null", O_WRONLY);
    if (errors >= 0 && nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
    ma_heap_destroy(heap);
    if (errors >= 0) {
        dup2(errors, STDERR_FILENO);
        close(errors);
    }
    if (nowhere >= 0)
        close(nowhere);
}

void run_end(struct run *run)
{
    destroy_quietly(run->heap);
    ma_set_misuse_handler(NULL);
    free(run->variables);
    *run = (struct run){.heap = NULL};
}

size_t run_offset(const struct run *run, const void *pointer)
{
    return (uintptr_t)pointer - run->origin;
}

// --- notes ---------------------------------------------------------------------------------------

// Adds to a note what fits.
__attribute__((format(printf, 2, 3))) static void add_note(char note[RUN_NOTE_MAX],
                                                           const char *format, ...)
{
    size_t length = strlen(note);
    if (length != 0 && length + 2 < RUN_NOTE_MAX)
        length += (size_t)snprintf(note + length, RUN_NOTE_MAX - length, "; ");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note + length, RUN_NOTE_MAX - length, format, arguments);
    va_end(arguments);
}

static const char *errno_name(int number)
{
    return number == ENOMEM ? "ENOMEM" : number == EINVAL ? "EINVAL" : strerror(number);
}

// The message says ma_heap_free(0x7f0012345678): ...; addresses differ from run to run, offsets
// do not.
static void note_misuse(const struct run *run, char note[RUN_NOTE_MAX])
{
    char *digits = strstr(misuse, "(0x");
    if (digits == NULL) {
        add_note(note, "misuse: %s", misuse);
        return;
    }
    char *behind;
    uintptr_t address = (uintptr_t)strtoumax(digits + 1, &behind, 16);
    add_note(note, "misuse: %.*s(0x%04zx%.80s", (int)(digits - misuse), misuse,
             (size_t)(address - run->origin), behind);
}

// --- who owns what -------------------------------------------------------------------------------

// No name owns the block at pointer any more.
static void disown(struct run *run, const char *pointer)
{
    for (size_t i = 0; i < run->script->name_count; i++)
        if (run->variables[i].pointer == pointer)
            run->variables[i].live = false;
}

// What a walk says about one pointer.
struct search {
    const struct run *run;
    const void *pointer;
    bool met; // it is a payload
    bool used; // of a used block
};

static bool look_for(const struct ma_block *block, void *context)
{
    struct search *search = context;
    bool no_headers = block->payload == block->address; // then the heap cannot tell
    search->met = no_headers || block->payload == search->pointer;
    search->used = no_headers || block->state == MA_BLOCK_USED;
    bool possible = block->size != 0 && run_offset(search->run, block->address) < search->run->size;
    return possible && !search->met;
}

// A call that reports misuse may still have done its work, if it was another block that it found
// overwritten. The heap itself shows which blocks are gone. What lies behind an overwritten header
// counts as owned.
static void disown_what_is_gone(struct run *run)
{
    for (size_t i = 0; i < run->script->name_count; i++) {
        struct variable *variable = &run->variables[i];
        struct search search = {.run = run, .pointer = variable->pointer};
        bool whole = ma_heap_walk(run->heap, look_for, &search);
        if (variable->live && (search.met ? !search.used : whole))
            variable->live = false;
    }
}

// --- statements ----------------------------------------------------------------------------------

static void assign(struct run *run, size_t target, char *pointer, size_t asked,
                   char note[RUN_NOTE_MAX])
{
    struct variable *variable = &run->variables[target];
    if (variable->live)
        add_note(note, "a leak: the block at 0x%04zx has no name any more",
                 run_offset(run, variable->pointer));
    *variable = (struct variable){pointer, asked, pointer != NULL};
}

static void run_request(struct run *run, const struct script_statement *statement,
                        char note[RUN_NOTE_MAX])
{
    size_t first = statement->numbers[0];
    size_t second = statement->numbers[1];
    char *pointer = NULL;
    size_t asked = first;
    errno = 0;
    if (statement->operation == SCRIPT_MALLOC) {
        pointer = ma_heap_malloc(run->heap, first);
    } else if (statement->operation == SCRIPT_CALLOC) {
        pointer = ma_heap_calloc(run->heap, first, second);
        asked = first * second;
    } else {
        pointer = ma_heap_aligned_alloc(run->heap, first, second);
        asked = second;
    }
    if (pointer == NULL && misuse[0] == '\0')
        add_note(note, "fails: NULL, %s", errno_name(errno));
    assign(run, statement->target, pointer, asked, note);
}

static void note_realloc(const struct run *run, const char *old, const char *pointer,
                         char note[RUN_NOTE_MAX])
{
    if (pointer == NULL)
        add_note(note, "fails: NULL, %s", errno_name(errno));
    else if (old == pointer)
        add_note(note, "stays at 0x%04zx", run_offset(run, old));
    else if (old != NULL)
        add_note(note, "moves from 0x%04zx to 0x%04zx", run_offset(run, old),
                 run_offset(run, pointer));
}

static void run_realloc(struct run *run, const struct script_statement *statement,
                        char note[RUN_NOTE_MAX])
{
    char *old = run->variables[statement->subject].pointer;
    size_t size = statement->numbers[0];
    errno = 0;
    char *pointer = ma_heap_realloc(run->heap, old, size);
    if (misuse[0] != '\0' && pointer == NULL)
        return; // the call had no effect: its result is not stored
    bool freed = old != NULL && size == 0;
    if (!freed)
        note_realloc(run, old, pointer, note);
    if (pointer != NULL || freed)
        disown(run, old);
    assign(run, statement->target, pointer, size, note);
}

static void run_free(struct run *run, const struct script_statement *statement,
                     char note[RUN_NOTE_MAX])
{
    char *pointer = run->variables[statement->subject].pointer;
    ma_heap_free(run->heap, pointer);
    if (pointer == NULL)
        add_note(note, "NULL: nothing to do");
    else if (misuse[0] == '\0')
        disown(run, pointer);
}

// Writes as a careless program does: nobody checks whether the block is that large.
static void run_write(struct run *run, const struct script_statement *statement,
                      char note[RUN_NOTE_MAX])
{
    char *pointer = run->variables[statement->subject].pointer;
    if (pointer == NULL) {
        add_note(note, "NULL: not written to");
        return;
    }
    size_t room = run->size - run_offset(run, pointer);
    if (statement->numbers[0] > room)
        add_note(note, "only %zu bytes written: the region ends there", room);
    memset(pointer, WRITTEN, statement->numbers[0] < room ? statement->numbers[0] : room);
}

void run_statement(struct run *run, const struct script_statement *statement,
                   char note[RUN_NOTE_MAX])
{
    note[0] = '\0';
    misuse[0] = '\0';
    switch (statement->operation) {
    case SCRIPT_MALLOC:
    case SCRIPT_CALLOC:
    case SCRIPT_ALIGNED_ALLOC:
        run_request(run, statement, note);
        break;
    case SCRIPT_REALLOC:
        run_realloc(run, statement, note);
        break;
    case SCRIPT_FREE:
        run_free(run, statement, note);
        break;
    case SCRIPT_WRITE:
        run_write(run, statement, note);
        break;
    case SCRIPT_SAY:
        break;
    }
    if (misuse[0] != '\0') {
        note_misuse(run, note);
        disown_what_is_gone(run);
    }
}
