// A heap at one moment, as boxes from left to right; both ways to draw it start here.

#ifndef MA_VIEW_MAP_H
#define MA_VIEW_MAP_H

#include "run.h"

#include "allocator.h"

#include <stdbool.h>
#include <stddef.h>

enum box_kind { BOX_USED, BOX_FREE, BOX_CACHED, BOX_BROKEN, BOX_TOP };

/// A block; what lies between an overwritten header and the top; the top. Offsets count from the heap's origin (see run_begin()).
struct box {
    enum box_kind kind;
    size_t offset; ///< of its first byte: the header, where there is one
    size_t size; ///< bytes, header included
    size_t header; ///< bytes of header; 0 in stage 1 and in the top
    bool has_next; ///< it is free, and not the last on its list
    size_t next; ///< offset of the next block on its list
    struct script_text name; ///< of the variable that owns it; empty if none does
    size_t asked; ///< bytes that were asked for it
};

struct map {
    struct box *boxes; ///< in address order; the last is the top
    size_t count;
    size_t size; ///< offset where the region ends
    bool whole; ///< false: the walk met something that is no block
    bool headers; ///< blocks have headers, so the heap can tell them apart
    size_t owned; ///< bytes that the program asked for and still owns
    struct ma_stats stats;
    const char *broken; ///< the first broken invariant, or NULL
};

/// Looks at a run's heap. @return false if memory is missing; nothing is to be freed then.
bool map_take(struct map *map, struct run *run);

void map_free(struct map *map);

/// Goes through the variables that point into the heap, in address order.
/// @param before the one before, or NULL for the first
/// @return the next one, or NULL; of several with the same address the live one
const struct variable *map_next_variable(const struct run *run, const struct variable *before);

enum { MAP_TEXT_MAX = 160 }; // bytes of the longest text below, its final zero included

/// What a box is: "used: a, asked for 100", "free, then 0x07e8", "top" ...
void map_describe_box(const struct map *map, const struct box *box, char text[MAP_TEXT_MAX]);

/// A short name for a box: "a 100", "free", "top" ...
void map_label(const struct map *map, const struct box *box, char text[MAP_TEXT_MAX]);

/// How many of a box's width units behind its header hold what somebody asked for; a unit that does
/// so in part counts.
size_t map_filled(const struct box *box, size_t width);

/// How much of what lies below the top serves the program.
void map_describe_use(const struct map *map, char text[MAP_TEXT_MAX]);

/// How fragmented the free memory is; "" where nothing is free.
void map_describe_free(const struct map *map, char text[MAP_TEXT_MAX]);

/// The broken invariant; "" where all hold.
void map_describe_broken(const struct map *map, char text[MAP_TEXT_MAX]);

/// What a whole script's pictures share.
struct map_scale {
    size_t size; ///< bytes of the region
    size_t extent; ///< bytes that are drawn to scale; see map_extent()
    size_t width; ///< units of the picture
    size_t tail; ///< the last of them, into which what lies behind extent is squeezed
    size_t least; ///< units of the narrowest box, if all boxes fit so
};

/// Bytes of the region that a script can reach at most, in any stage: so the pictures of all its
/// steps, and of all stages, have the same scale.
size_t map_extent(const struct script *script, size_t size);

/// Where an offset lies in a picture.
size_t map_place(const struct map_scale *scale, size_t offset);

/// Where boxes begin in a picture.
/// @param edges room for map->count + 1 of them; the last becomes the width
void map_layout(const struct map *map, const struct map_scale *scale, size_t *edges);

#endif
