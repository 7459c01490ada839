// Heap scripts: the small language that `make view-stageN` runs. README.md describes it.
//
// The parser reads a whole script before anything runs, and never stops the program.

#ifndef MA_VIEW_SCRIPT_H
#define MA_VIEW_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/// A part of the script's text; it ends after length bytes, not with a zero.
struct script_text {
    const char *start;
    size_t length;
};

enum script_operation {
    SCRIPT_MALLOC,
    SCRIPT_CALLOC,
    SCRIPT_REALLOC,
    SCRIPT_ALIGNED_ALLOC,
    SCRIPT_FREE,
    SCRIPT_WRITE,
    SCRIPT_SAY,
};

struct script_statement {
    enum script_operation operation;
    size_t line; ///< in the file, from 1
    struct script_text source; ///< the statement as it was written
    size_t target; ///< the name on the left of '=', an index into script.names
    size_t subject; ///< the name that is freed, reallocated or written to, likewise
    size_t numbers[2]; ///< calloc: count, size; aligned_alloc: alignment, size; else: bytes
    struct script_text text; ///< what say shows
};

struct script {
    struct script_statement *statements;
    size_t count; ///< of statements
    struct script_text *names;
    size_t name_count;
};

/// What is wrong with a script.
struct script_error {
    size_t line; ///< from 1
    struct script_text word; ///< the word that is wrong; it lies in the script's text
    const char *problem; ///< static text
    const char *example; ///< how to write it instead, static text, or NULL
};

/// Parses a script.
/// @param text the script; it must outlive what was parsed, which points into it
/// @param length its bytes; none of them need be a zero
/// @param script filled in, owned by the caller until script_free()
/// @param error filled in if the answer is false; nothing is to be freed then
/// @return whether the text is a script
bool script_parse(const char *text, size_t length, struct script *script,
                  struct script_error *error);

void script_free(struct script *script);

/// Prints one line: "file:line: 'word': problem", and the example in parentheses, if there is one.
void script_print_error(FILE *to, const char *file, const struct script_error *error);

/// The statement behind the line that begins with statement first.
size_t script_line_end(const struct script *script, size_t first);

#endif
