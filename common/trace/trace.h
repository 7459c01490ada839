// Traces: what a program asked of its allocator, one operation after the other. FORMAT.md describes
// the text; this is its only parser.
//
// A trace lives in memory from mmap, never from malloc: a program that replays one calls the
// allocator for the trace's operations and for nothing else.

#ifndef MA_TRACE_TRACE_H
#define MA_TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trace_kind { TRACE_MALLOC, TRACE_CALLOC, TRACE_REALLOC, TRACE_FREE };

#define TRACE_NULL UINT32_MAX ///< the slot of free(NULL)

/// One operation. A TRACE_REALLOC of size 0 frees its block: the slot is dead afterwards.
struct trace_op {
    size_t size; ///< bytes asked for; 0 for TRACE_FREE
    uint32_t slot; ///< which block: below trace.slots, or TRACE_NULL
    uint16_t thread; ///< below trace.threads; 0 if the trace names none
    uint8_t kind; ///< enum trace_kind
};

/// A whole trace. Ids are renumbered into slots, the slot freed last is used again first: a replay
/// keeps its pointers in one small table. Threads are renumbered as they appear.
struct trace {
    struct trace_op *ops;
    size_t count; ///< of ops
    size_t slots; ///< most blocks live at once
    size_t threads; ///< at least 1
    size_t peak_payload; ///< most bytes asked for by blocks live at once
    size_t live_at_end; ///< blocks that are never freed
    const char *dialect; ///< as what the text was read, static text
    size_t ops_bytes; ///< of the mapping that holds ops
};

/// What is wrong with a trace.
struct trace_error {
    size_t line; ///< from 1; 0: it is the file itself
    char reason[128]; ///< printable ASCII
};

/// Parses a trace. Every operation is checked: what is returned can be replayed.
/// @param text any bytes
/// @param length how many
/// @param trace filled in, owned by the caller until trace_release()
/// @param error filled in if the answer is false; nothing is to be released then
/// @return whether the text is a trace
bool trace_parse(const char *text, size_t length, struct trace *trace, struct trace_error *error);

/// Reads a file, or what comes through a pipe, and parses it.
bool trace_read(const char *path, struct trace *trace, struct trace_error *error);

/// Gives a trace's memory back.
void trace_release(struct trace *trace);

/// Prints one line on standard error: "file:line: reason".
void trace_print_error(const char *path, const struct trace_error *error);

#endif
