// One line of a script after it ran, and the two ways to draw it.

#ifndef MA_VIEW_STEP_H
#define MA_VIEW_STEP_H

#include "map.h"
#include "run.h"
#include "script.h"

#include <stdbool.h>
#include <stdio.h>

struct step {
    const struct run *run;
    const struct script_statement *statements; ///< of one line
    size_t count; ///< of them
    char (*notes)[RUN_NOTE_MAX]; ///< one for each
    bool draws; ///< not all of them say something
    const struct map *map; ///< the heap after them
};

/// How to draw on a terminal.
struct terminal {
    FILE *out;
    size_t width; ///< columns
    size_t extent; ///< see map_extent()
    bool ascii;
    bool colour;
    bool brief; ///< without the table of blocks
};

void terminal_legend(const struct terminal *terminal);

/// @return false if memory is missing
bool terminal_step(const struct terminal *terminal, const struct step *step);

/// An SVG that grows step by step.
struct svg {
    FILE *body; ///< what was drawn so far, kept in memory
    char *text; ///< its bytes
    size_t length;
    size_t height; ///< units drawn so far
    size_t extent; ///< see map_extent()
};

/// @return false if memory is missing
bool svg_begin(struct svg *svg, size_t extent);

/// @return false if memory is missing
bool svg_step(struct svg *svg, const struct step *step);

/// Writes the whole picture. @return false if memory was missing
bool svg_end(struct svg *svg, const char *title, FILE *out);

#endif
