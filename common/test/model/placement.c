// Predicts where stages 3 and 4 place each block. Written from what their READMEs say, not from their
// code, and with other data structures: one array of pieces in the order of their places, nothing
// else. A free piece's place on its list follows from when it was freed.

#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    UNIT = 16, // sizes and places are multiples
    HEADER = 8,
    SMALLEST = 32, // bytes of the smallest block
    LOOKED_AT = 32, // blocks of one class
    ONE_SIZE_BELOW = 1024, // bytes: below, a class holds one size
    CLASSES_PER_DOUBLING = 32,
    NOWHERE = -1,
};

struct piece {
    size_t place; // bytes from the first block
    size_t size;
    uint64_t freed; // when: larger is later; 0: used
};

struct prediction {
    struct piece *pieces; // without gaps, up to the top
    size_t count;
    size_t end; // bytes that there are for blocks
    uint64_t clock;
    bool merges; // stage 4
    uintptr_t first; // address of place 0
};

// --- pieces --------------------------------------------------------------------------------------

static size_t top_of(const struct prediction *p)
{
    return p->count == 0 ? 0 : p->pieces[p->count - 1].place + p->pieces[p->count - 1].size;
}

static void insert_piece(struct prediction *p, size_t at, struct piece piece)
{
    memmove(p->pieces + at + 1, p->pieces + at, (p->count - at) * sizeof piece);
    p->pieces[at] = piece;
    p->count++;
}

static void remove_piece(struct prediction *p, size_t at)
{
    p->count--;
    memmove(p->pieces + at, p->pieces + at + 1, (p->count - at) * sizeof *p->pieces);
}

static size_t piece_at(const struct prediction *p, size_t place)
{
    size_t at = 0;
    while (p->pieces[at].place != place)
        at++;
    return at;
}

static size_t size_for(size_t bytes)
{
    size_t units = (bytes + HEADER + UNIT - 1) / UNIT;
    return units * UNIT < SMALLEST ? SMALLEST : units * UNIT;
}

// The smallest size of the class that a size belongs to.
static size_t class_of(size_t size)
{
    size_t power = ONE_SIZE_BELOW;
    if (size < ONE_SIZE_BELOW)
        return size;
    while (power * 2 <= size)
        power *= 2;
    return size - size % (power / CLASSES_PER_DOUBLING);
}

// --- best fit ------------------------------------------------------------------------------------

// The piece of a class that was freed last, before a moment; NOWHERE if there is none.
static int last_freed(const struct prediction *p, size_t class, uint64_t before)
{
    int last = NOWHERE;
    for (size_t i = 0; i < p->count; i++)
        if (p->pieces[i].freed != 0 && p->pieces[i].freed < before &&
            class_of(p->pieces[i].size) == class &&
            (last == NOWHERE || p->pieces[i].freed > p->pieces[last].freed))
            last = (int)i;
    return last;
}

// The smallest of a class's first pieces that is large enough; of equal ones the last freed.
static int best_of_class(const struct prediction *p, size_t class, size_t size)
{
    int best = NOWHERE;
    int i = last_freed(p, class, UINT64_MAX);
    for (int seen = 0; i != NOWHERE && seen < LOOKED_AT; seen++) {
        size_t found = p->pieces[i].size;
        if (found >= size && (best == NOWHERE || found < p->pieces[best].size))
            best = i;
        i = last_freed(p, class, p->pieces[i].freed);
    }
    return best;
}

static int best_fit(const struct prediction *p, size_t size)
{
    int best = best_of_class(p, class_of(size), size);
    size_t next = SIZE_MAX;
    for (size_t i = 0; i < p->count; i++) {
        size_t class = class_of(p->pieces[i].size);
        if (p->pieces[i].freed != 0 && class > class_of(size) && class < next)
            next = class;
    }
    return best != NOWHERE || next == SIZE_MAX ? best : best_of_class(p, next, size);
}

// --- free, split, merge --------------------------------------------------------------------------

static void release(struct prediction *p, size_t at)
{
    p->pieces[at].freed = ++p->clock;
    if (!p->merges)
        return;
    if (at + 1 < p->count && p->pieces[at + 1].freed != 0) {
        p->pieces[at].size += p->pieces[at + 1].size;
        remove_piece(p, at + 1);
    }
    if (at > 0 && p->pieces[at - 1].freed != 0) {
        p->pieces[at - 1].size += p->pieces[at].size;
        p->pieces[at - 1].freed = p->pieces[at].freed;
        remove_piece(p, at--);
    }
    if (at + 1 == p->count)
        p->count--; // the top moves down
}

// Cuts a used piece in two; false if the second would be too small.
static bool cut(struct prediction *p, size_t at, size_t size)
{
    struct piece rest = {p->pieces[at].place + size, p->pieces[at].size - size, 0};
    if (rest.size < SMALLEST)
        return false;
    p->pieces[at].size = size;
    insert_piece(p, at + 1, rest);
    return true;
}

static void shorten(struct prediction *p, size_t at, size_t size)
{
    if (cut(p, at, size))
        release(p, at + 1);
}

// A used piece of a size; NOWHERE if there is no room.
static int take(struct prediction *p, size_t size)
{
    int at = best_fit(p, size);
    if (at == NOWHERE && size > p->end - top_of(p))
        return NOWHERE;
    if (at == NOWHERE) {
        at = (int)p->count;
        insert_piece(p, p->count, (struct piece){top_of(p), size, 0});
    }
    p->pieces[at].freed = 0;
    shorten(p, (size_t)at, size);
    return at;
}

// --- requests ------------------------------------------------------------------------------------

static int take_aligned(struct prediction *p, size_t alignment, size_t bytes)
{
    int at = take(p, alignment + SMALLEST + size_for(bytes));
    if (at == NOWHERE)
        return NOWHERE;
    size_t place = p->pieces[at].place;
    size_t payload = place;
    while ((p->first + payload + HEADER) % alignment != 0 ||
           (payload != place && payload - place < SMALLEST))
        payload += UNIT;
    size_t before = (size_t)at;
    if (payload != place) {
        cut(p, before, payload - place);
        release(p, before);
        at = (int)piece_at(p, payload);
    }
    shorten(p, (size_t)at, size_for(bytes));
    return (int)piece_at(p, payload);
}

// Stage 4: whether a block can become larger where it lies.
static bool lengthen(struct prediction *p, size_t at, size_t size)
{
    if (at + 1 == p->count) {
        if (size - p->pieces[at].size > p->end - top_of(p))
            return false;
        p->pieces[at].size = size;
        return true;
    }
    if (p->pieces[at + 1].freed == 0 || p->pieces[at].size + p->pieces[at + 1].size < size)
        return false;
    p->pieces[at].size += p->pieces[at + 1].size;
    remove_piece(p, at + 1);
    shorten(p, at, size);
    return true;
}

static int move(struct prediction *p, size_t place, size_t bytes)
{
    size_t at = piece_at(p, place);
    size_t size = size_for(bytes);
    if (bytes <= p->pieces[at].size - HEADER) {
        shorten(p, at, size);
        return (int)at;
    }
    if (p->merges && lengthen(p, at, size))
        return (int)at;
    int moved = take(p, size);
    if (moved == NOWHERE)
        return NOWHERE;
    size_t to = p->pieces[moved].place;
    release(p, piece_at(p, place));
    return (int)piece_at(p, to);
}

static bool too_large(const struct prediction *p, const struct operation *operation)
{
    size_t size = operation_size(operation);
    bool wraps = operation->kind == OP_CALLOC && operation->numbers[1] != 0 &&
                 operation->numbers[0] > SIZE_MAX / operation->numbers[1];
    bool aligned_too_far = operation->kind == OP_ALIGNED_ALLOC && operation->numbers[0] > p->end;
    return wraps || aligned_too_far || size > p->end;
}

// What a request gives: a piece, or NOWHERE.
static int predict(struct prediction *p, const struct operation *operation)
{
    size_t alignment = operation->kind == OP_ALIGNED_ALLOC ? operation->numbers[0] : 1;
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || too_large(p, operation))
        return NOWHERE;
    if (alignment > UNIT)
        return take_aligned(p, alignment, operation_size(operation));
    return take(p, size_for(operation_size(operation)));
}

// --- beside the heap -----------------------------------------------------------------------------

struct comparison {
    struct prediction prediction;
    struct ma_heap *heap;
    struct outcome *outcome;
    char **names; // payloads
    size_t seen; // pieces that the walk has shown
};

static bool differ(struct comparison *c, size_t predicted, size_t found)
{
    snprintf(c->outcome->problem, PROBLEM_MAX, "placed at offset %#zx, predicted was %#zx", found,
             predicted);
    return false;
}

static bool visit(const struct ma_block *block, void *context)
{
    struct comparison *c = context;
    const struct piece *piece = &c->prediction.pieces[c->seen];
    if (c->seen++ >= c->prediction.count)
        return differ(c, top_of(&c->prediction),
                      (size_t)((uintptr_t)block->address - c->prediction.first));
    size_t place = (size_t)((uintptr_t)block->address - c->prediction.first);
    if (place != piece->place)
        return differ(c, piece->place, place);
    if (block->size == piece->size && (block->state == MA_BLOCK_FREE) == (piece->freed != 0))
        return true;
    snprintf(c->outcome->problem, PROBLEM_MAX,
             "the block at offset %#zx has %zu bytes, %s; predicted were %zu, %s", place,
             block->size, block->state == MA_BLOCK_FREE ? "free" : "used", piece->size,
             piece->freed != 0 ? "free" : "used");
    return false;
}

static bool compare_all(struct comparison *c)
{
    c->seen = 0;
    if (!ma_heap_walk(c->heap, visit, c))
        return false;
    if (c->seen == c->prediction.count)
        return true;
    snprintf(c->outcome->problem, PROBLEM_MAX, "the heap has %zu blocks, predicted were %zu",
             c->seen, c->prediction.count);
    return false;
}

static size_t offset_of(const struct comparison *c, const char *payload)
{
    return (size_t)((uintptr_t)payload - c->prediction.first);
}

static bool compare_payload(struct comparison *c, int predicted, const char *payload)
{
    size_t expected =
        predicted == NOWHERE ? SIZE_MAX : c->prediction.pieces[predicted].place + HEADER;
    size_t found = payload == NULL ? SIZE_MAX : offset_of(c, payload);
    return expected == found || differ(c, expected, found);
}

static char *request(struct comparison *c, const struct operation *operation)
{
    const size_t *numbers = operation->numbers;
    if (operation->kind == OP_CALLOC)
        return ma_heap_calloc(c->heap, numbers[0], numbers[1]);
    if (operation->kind == OP_ALIGNED_ALLOC)
        return ma_heap_aligned_alloc(c->heap, numbers[0], numbers[1]);
    return ma_heap_malloc(c->heap, numbers[0]);
}

static void free_name(struct comparison *c, size_t name)
{
    size_t place = offset_of(c, c->names[name]) - HEADER;
    release(&c->prediction, piece_at(&c->prediction, place));
    ma_heap_free(c->heap, c->names[name]);
    c->names[name] = NULL;
}

static bool resize(struct comparison *c, const struct operation *operation)
{
    char *old = c->names[operation->subject];
    size_t size = operation->numbers[0];
    bool possible = size <= c->prediction.end;
    int predicted = possible ? move(&c->prediction, offset_of(c, old) - HEADER, size) : NOWHERE;
    char *moved = ma_heap_realloc(c->heap, old, size);
    if (moved != NULL)
        c->names[operation->subject] = NULL;
    if (moved != NULL || operation->target != operation->subject)
        c->names[operation->target] = moved;
    return compare_payload(c, predicted, moved);
}

// What a correct program would not do, and heaps beside the one, are left out.
static bool run_one(struct comparison *c, struct operation *operation)
{
    bool named = c->names[operation->subject] != NULL;
    operation->effect = OP_DONE;
    if (operation->kind < OP_REALLOC) {
        int predicted = predict(&c->prediction, operation);
        c->names[operation->target] = request(c, operation);
        return compare_payload(c, predicted, c->names[operation->target]);
    }
    if (operation->kind == OP_HEAP_INIT && operation->heap == 0)
        return true; // begin has seen to it
    if (operation->kind >= OP_WRITE || !named)
        operation->effect = OP_LEFT_OUT;
    else if (operation->kind == OP_REALLOC && operation->numbers[0] != 0)
        return resize(c, operation);
    else
        free_name(c, operation->subject);
    return true;
}

static bool begin(struct comparison *c, const struct operation_list *list)
{
    size_t bookkeeping;
    size_t size = list_heap_0_size(list);
    char *memory = memory_for_heap_0(&bookkeeping, size);
    c->heap = ma_heap_init(memory, bookkeeping + size);
    c->prediction.first = (uintptr_t)memory + ma_heap_stats(c->heap).padding_bytes;
    c->prediction.end = ma_heap_stats(c->heap).top_bytes;
    c->prediction.pieces = calloc(3 * list->count + 8, sizeof *c->prediction.pieces);
    c->names = calloc(list_names(list), sizeof *c->names);
    return c->prediction.pieces != NULL && c->names != NULL;
}

bool placement_run(const struct setup *setup, struct operation_list *list, struct outcome *outcome)
{
    struct comparison c = {.outcome = outcome, .prediction.merges = setup->stage >= 4};
    bool good = begin(&c, list);
    for (size_t i = 0; good && i < list->count; i++) {
        outcome->step = i;
        good = run_one(&c, &list->operations[i]) && compare_all(&c);
    }
    if (good)
        destroy_quietly(c.heap);
    free(c.prediction.pieces);
    free(c.names);
    return good;
}
