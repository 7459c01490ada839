// A heap at one moment, as boxes from left to right.

#include "map.h"

#include <stdint.h>
#include <stdlib.h>

// --- looking at the heap -------------------------------------------------------------------------

struct walk {
    const struct run *run;
    struct map *map;
    size_t room; // boxes that map->boxes can hold; 0: they are only counted
    size_t end; // offset where the block before ended
};

// A walk that follows an overwritten header could stand still or leave the region.
static bool is_possible(const struct walk *walk, const struct ma_block *block, size_t offset)
{
    return block->size != 0 && offset < walk->run->size && block->size <= walk->run->size - offset;
}

static enum box_kind kind_of(enum ma_block_state state)
{
    switch (state) {
    case MA_BLOCK_FREE:
        return BOX_FREE;
    case MA_BLOCK_CACHED:
        return BOX_CACHED;
    case MA_BLOCK_USED:
        break;
    }
    return BOX_USED;
}

// The name of the variable that owns a block, if one does.
static void find_owner(const struct run *run, const struct ma_block *block, struct box *box)
{
    for (size_t i = 0; i < run->script->name_count; i++) {
        const struct variable *variable = &run->variables[i];
        if (variable->live && variable->pointer == block->payload) {
            box->name = run->script->names[i];
            box->asked = variable->asked;
        }
    }
}

static bool visit(const struct ma_block *block, void *context)
{
    struct walk *walk = context;
    size_t header = (size_t)((const char *)block->payload - (const char *)block->address);
    struct box box = {
        .kind = kind_of(block->state),
        .offset = run_offset(walk->run, block->address),
        .size = block->size,
        .header = header,
        .has_next = block->next_free != NULL,
        .next = run_offset(walk->run, block->next_free) - header,
    };
    if (!is_possible(walk, block, box.offset))
        return false;
    if (box.kind == BOX_USED && header != 0)
        find_owner(walk->run, block, &box);
    if (walk->map->count < walk->room)
        walk->map->boxes[walk->map->count] = box;
    walk->map->count++;
    walk->map->headers = walk->map->headers || header != 0;
    walk->end = box.offset + box.size;
    return true;
}

// Walks the heap; false if the walk met something that is no block.
static bool walk_heap(struct walk *walk)
{
    walk->map->count = 0;
    return ma_heap_walk(walk->run->heap, visit, walk);
}

// What follows the blocks: what no block explains, and the top.
static void add_rest(const struct walk *walk)
{
    struct map *map = walk->map;
    size_t top = map->size - map->stats.top_bytes;
    if (!map->whole)
        map->boxes[map->count++] = (struct box){
            .kind = BOX_BROKEN,
            .offset = walk->end,
            .size = top - walk->end,
        };
    map->boxes[map->count++] = (struct box){
        .kind = BOX_TOP,
        .offset = top,
        .size = map->stats.top_bytes,
    };
}

bool map_take(struct map *map, struct run *run)
{
    enum { REST_MAX = 2 }; // boxes that add_rest adds
    *map = (struct map){
        .size = run->size,
        .stats = ma_heap_stats(run->heap),
        .broken = ma_heap_check(run->heap),
    };
    struct walk walk = {.run = run, .map = map};
    walk_heap(&walk);
    walk.room = map->count;
    map->boxes = calloc(walk.room + REST_MAX, sizeof *map->boxes);
    if (map->boxes == NULL)
        return false;
    map->whole = walk_heap(&walk);
    add_rest(&walk);
    for (size_t i = 0; i < run->script->name_count; i++)
        map->owned += run->variables[i].live ? run->variables[i].asked : 0;
    return true;
}

void map_free(struct map *map)
{
    free(map->boxes);
    *map = (struct map){.count = 0};
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

// --- variables -----------------------------------------------------------------------------------

const struct variable *map_next_variable(const struct run *run, const struct variable *before)
{
    const struct variable *next = NULL;
    for (size_t i = 0; i < run->script->name_count; i++) {
        const struct variable *candidate = &run->variables[i];
        uintptr_t address = (uintptr_t)candidate->pointer;
        if (address == 0 || (before != NULL && address <= (uintptr_t)before->pointer))
            continue;
        if (next == NULL || address < (uintptr_t)next->pointer ||
            (candidate->pointer == next->pointer && candidate->live))
            next = candidate;
    }
    return next;
}

// --- words ---------------------------------------------------------------------------------------

void map_describe_box(const struct map *map, const struct box *box, char text[MAP_TEXT_MAX])
{
    if (box->kind == BOX_TOP)
        snprintf(text, MAP_TEXT_MAX, "top");
    else if (box->kind == BOX_BROKEN)
        snprintf(text, MAP_TEXT_MAX, "broken: no header here");
    else if (box->kind == BOX_CACHED)
        snprintf(text, MAP_TEXT_MAX, "cached");
    else if (box->kind == BOX_FREE && !box->has_next)
        snprintf(text, MAP_TEXT_MAX, "free, last on its list");
    else if (box->kind == BOX_FREE)
        snprintf(text, MAP_TEXT_MAX, "free, then 0x%04zx", box->next);
    else if (!map->headers)
        snprintf(text, MAP_TEXT_MAX, "handed out, no headers");
    else if (box->name.length == 0)
        snprintf(text, MAP_TEXT_MAX, "used: a leak, no name has it");
    else
        snprintf(text, MAP_TEXT_MAX, "used: %.*s, asked for %zu", (int)box->name.length,
                 box->name.start, box->asked);
}

void map_label(const struct map *map, const struct box *box, char text[MAP_TEXT_MAX])
{
    if (box->kind == BOX_TOP)
        snprintf(text, MAP_TEXT_MAX, "top");
    else if (box->kind == BOX_BROKEN)
        snprintf(text, MAP_TEXT_MAX, "broken");
    else if (box->kind == BOX_CACHED)
        snprintf(text, MAP_TEXT_MAX, "cached");
    else if (box->kind == BOX_FREE)
        snprintf(text, MAP_TEXT_MAX, "free");
    else if (!map->headers)
        snprintf(text, MAP_TEXT_MAX, "handed out");
    else if (box->name.length == 0)
        snprintf(text, MAP_TEXT_MAX, "leaked");
    else
        snprintf(text, MAP_TEXT_MAX, "%.*s %zu", (int)box->name.length, box->name.start,
                 box->asked);
}

size_t map_filled(const struct box *box, size_t width)
{
    if (box->kind != BOX_USED || box->name.length == 0)
        return width;
    double share = (double)box->asked / (double)(box->size - box->header);
    return smaller((size_t)(share * (double)width + 0.999), width);
}

static size_t percent(size_t part, size_t whole)
{
    return whole == 0 ? 0 : (size_t)((double)part / (double)whole * 100 + 0.5);
}

void map_describe_use(const struct map *map, char text[MAP_TEXT_MAX])
{
    size_t below = map->boxes[map->count - 1].offset;
    if (map->count == 1)
        snprintf(text, MAP_TEXT_MAX, "no blocks; all memory is in the top");
    else
        snprintf(text, MAP_TEXT_MAX,
                 "%zu bytes below the top; the program owns %zu of them: %zu %%", below, map->owned,
                 percent(map->owned, below));
}

void map_describe_free(const struct map *map, char text[MAP_TEXT_MAX])
{
    const struct ma_stats *stats = &map->stats;
    text[0] = '\0';
    if (stats->free_blocks != 0 && map->whole)
        snprintf(text, MAP_TEXT_MAX,
                 "%zu bytes free in %zu block%s, the largest %zu: external fragmentation %zu %%",
                 stats->free_bytes, stats->free_blocks, stats->free_blocks == 1 ? "" : "s",
                 stats->largest_free,
                 percent(stats->free_bytes - stats->largest_free, stats->free_bytes));
}

void map_describe_broken(const struct map *map, char text[MAP_TEXT_MAX])
{
    text[0] = '\0';
    if (map->broken != NULL)
        snprintf(text, MAP_TEXT_MAX, "broken invariant: %s", map->broken);
}

// --- layout --------------------------------------------------------------------------------------

static size_t sum(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static size_t product(size_t a, size_t b)
{
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

// Bytes that a statement can take from the top; SIZE_MAX if they are more than any region has.
static size_t request_bytes(const struct script_statement *statement)
{
    enum { OVERHEAD = 40 }; // a header, and what rounding adds
    size_t first = statement->numbers[0];
    size_t second = statement->numbers[1];
    switch (statement->operation) {
    case SCRIPT_MALLOC:
    case SCRIPT_REALLOC:
        return sum(first, OVERHEAD);
    case SCRIPT_CALLOC:
        return sum(product(first, second), OVERHEAD);
    case SCRIPT_ALIGNED_ALLOC:
        return sum(sum(first, second), 2 * OVERHEAD);
    case SCRIPT_FREE:
    case SCRIPT_WRITE:
    case SCRIPT_SAY:
        break;
    }
    return 0;
}

size_t map_extent(const struct script *script, size_t size)
{
    enum { EXTENT_MIN = 256 }; // so that one small block does not fill the picture
    size_t extent = EXTENT_MIN;
    for (size_t i = 0; i < script->count; i++) {
        size_t bytes = request_bytes(&script->statements[i]);
        if (bytes <= size) // else it fails and takes nothing
            extent = smaller(extent + bytes, size);
    }
    return extent;
}

// Moves edges apart where boxes would be narrower than least: first to the right, then back.
static void widen(size_t *edges, size_t count, size_t width, size_t least)
{
    for (size_t i = 1; i < count; i++)
        edges[i] = larger(edges[i], edges[i - 1] + least);
    edges[count] = width;
    for (size_t i = count; i > 1; i--)
        edges[i - 1] = smaller(edges[i - 1], edges[i] - least);
}

size_t map_place(const struct map_scale *scale, size_t offset)
{
    size_t to_scale = scale->extent < scale->size ? scale->width - scale->tail : scale->width;
    double place = (double)offset / (double)scale->extent * (double)to_scale;
    return smaller((size_t)place, to_scale);
}

void map_layout(const struct map *map, const struct map_scale *scale, size_t *edges)
{
    if (map->count == 0)
        return;
    for (size_t i = 0; i < map->count; i++)
        edges[i] = map_place(scale, map->boxes[i].offset);
    edges[0] = 0;
    widen(edges, map->count, scale->width, smaller(scale->least, scale->width / map->count));
}
