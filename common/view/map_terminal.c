// Draws heap maps with characters.

#include "step.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 2 }; // columns left of a picture

// --- glyphs and styles ---------------------------------------------------------------------------

enum glyph {
    GLYPH_HORIZONTAL,
    GLYPH_VERTICAL,
    GLYPH_TOP_LEFT,
    GLYPH_TOP_TEE,
    GLYPH_TOP_RIGHT,
    GLYPH_BOTTOM_LEFT,
    GLYPH_BOTTOM_TEE,
    GLYPH_BOTTOM_RIGHT,
    GLYPH_HEADER,
    GLYPH_BLANK,
    GLYPH_ASKED,
    GLYPH_UNASKED,
    GLYPH_FREE,
    GLYPH_CACHED,
    GLYPH_BROKEN,
    GLYPH_TOP,
    GLYPH_MARK,
    GLYPH_FREED,
};

static const char *const glyphs[][2] = {
    // [glyph][ASCII]
    [GLYPH_HORIZONTAL] = {"\u2500", "-"}, [GLYPH_VERTICAL] = {"\u2502", "|"},
    [GLYPH_TOP_LEFT] = {"\u250c", "+"},   [GLYPH_TOP_TEE] = {"\u252c", "+"},
    [GLYPH_TOP_RIGHT] = {"\u2510", "+"},  [GLYPH_BOTTOM_LEFT] = {"\u2514", "+"},
    [GLYPH_BOTTOM_TEE] = {"\u2534", "+"}, [GLYPH_BOTTOM_RIGHT] = {"\u2518", "+"},
    [GLYPH_HEADER] = {"\u2588", "#"},     [GLYPH_BLANK] = {" ", " "},
    [GLYPH_ASKED] = {"\u2593", "="},      [GLYPH_UNASKED] = {"\u254c", "-"},
    [GLYPH_FREE] = {"\u2591", ":"},       [GLYPH_CACHED] = {"\u2592", "%"},
    [GLYPH_BROKEN] = {"?", "?"},          [GLYPH_TOP] = {"\u00b7", "."},
    [GLYPH_MARK] = {"\u2191", "^"},       [GLYPH_FREED] = {"\u00d7", "!"},
};

enum style { PLAIN, BOLD, DIM, HEADER, USED, FREE, NOTE, BAD };

static const char *const escapes[] = {
    [PLAIN] = "\033[0m",  [BOLD] = "\033[0;1m",  [DIM] = "\033[0;2m",   [HEADER] = "\033[0;33m",
    [USED] = "\033[0;1m", [FREE] = "\033[0;36m", [NOTE] = "\033[0;35m", [BAD] = "\033[0;31m",
};

// How the inside of each kind of box looks.
static const struct look {
    enum glyph glyph;
    enum style style;
} looks[] = {
    [BOX_USED] = {GLYPH_ASKED, USED},    [BOX_FREE] = {GLYPH_FREE, FREE},
    [BOX_CACHED] = {GLYPH_CACHED, FREE}, [BOX_BROKEN] = {GLYPH_BROKEN, BAD},
    [BOX_TOP] = {GLYPH_TOP, DIM},
};

static void set_style(const struct terminal *terminal, enum style style)
{
    if (terminal->colour)
        fputs(escapes[style], terminal->out);
}

// Prints in a style.
__attribute__((format(printf, 3, 4))) static void print(const struct terminal *terminal,
                                                        enum style style, const char *format, ...)
{
    set_style(terminal, style);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(terminal->out, format, arguments);
    va_end(arguments);
    set_style(terminal, PLAIN);
}

// Prints a text behind a margin, broken between words where it is too long for the line.
static void print_wrapped(const struct terminal *terminal, enum style style, const char *text)
{
    size_t room = terminal->width - MARGIN;
    while (*text != '\0') {
        size_t length = strlen(text);
        if (length > room) {
            length = room;
            while (length > 0 && text[length] != ' ')
                length--;
            length = length == 0 ? room : length; // a word longer than the line
        }
        print(terminal, style, "%*s%.*s\n", MARGIN, "", (int)length, text);
        text += length;
        text += strspn(text, " ");
    }
}

// --- rows ----------------------------------------------------------------------------------------

struct cell {
    char glyph[4]; // one character in UTF-8
    enum style style;
};

// One line of a picture, and where its boxes begin.
struct row {
    const struct terminal *terminal;
    const struct map *map;
    const size_t *edges;
    struct cell *cells;
    size_t width;
};

static void put_glyph(struct row *row, size_t column, enum glyph glyph, enum style style)
{
    struct cell *cell = &row->cells[column];
    snprintf(cell->glyph, sizeof cell->glyph, "%s", glyphs[glyph][row->terminal->ascii]);
    cell->style = style;
}

static void put_glyphs(struct row *row, size_t from, size_t to, enum glyph glyph, enum style style)
{
    for (size_t column = from; column < to; column++)
        put_glyph(row, column, glyph, style);
}

// Puts as much of a text as fits before column end.
static void put_text(struct row *row, size_t from, size_t end, struct script_text text,
                     enum style style)
{
    for (size_t i = 0; i < text.length && from + i < end; i++) {
        snprintf(row->cells[from + i].glyph, 2, "%c", text.start[i]);
        row->cells[from + i].style = style;
    }
}

static struct script_text text_of(const char *text)
{
    return (struct script_text){text, strlen(text)};
}

static void clear(struct row *row)
{
    put_glyphs(row, 0, row->width + 1, GLYPH_BLANK, PLAIN);
}

static void print_row(const struct row *row)
{
    size_t length = row->width + 1;
    while (length > 0 && strcmp(row->cells[length - 1].glyph, " ") == 0)
        length--;
    fprintf(row->terminal->out, "%*s", MARGIN, "");
    enum style style = PLAIN;
    for (size_t i = 0; i < length; i++) {
        if (row->cells[i].style != style)
            set_style(row->terminal, style = row->cells[i].style);
        fputs(row->cells[i].glyph, row->terminal->out);
    }
    if (style != PLAIN)
        set_style(row->terminal, PLAIN);
    fputc('\n', row->terminal->out);
}

// --- the picture ---------------------------------------------------------------------------------

// A line with a corner or tee at every edge.
static void put_border(struct row *row, enum glyph left, enum glyph tee, enum glyph right)
{
    put_glyphs(row, 0, row->width, GLYPH_HORIZONTAL, DIM);
    for (size_t i = 1; i < row->map->count; i++)
        put_glyph(row, row->edges[i], tee, DIM);
    put_glyph(row, 0, left, DIM);
    put_glyph(row, row->width, right, DIM);
}

// The upper border says where each block begins.
static void draw_offsets(struct row *row)
{
    put_border(row, GLYPH_TOP_LEFT, GLYPH_TOP_TEE, GLYPH_TOP_RIGHT);
    for (size_t i = 0; i < row->map->count; i++) {
        char offset[24];
        size_t length =
            (size_t)snprintf(offset, sizeof offset, "0x%04zx", row->map->boxes[i].offset);
        if (length < row->edges[i + 1] - row->edges[i])
            put_text(row, row->edges[i] + 1, row->edges[i + 1], text_of(offset), PLAIN);
    }
    print_row(row);
}

// The lower border says how large each block is.
static void draw_sizes(struct row *row)
{
    put_border(row, GLYPH_BOTTOM_LEFT, GLYPH_BOTTOM_TEE, GLYPH_BOTTOM_RIGHT);
    for (size_t i = 0; i < row->map->count; i++) {
        char size[24];
        size_t length = (size_t)snprintf(size, sizeof size, "%zu", row->map->boxes[i].size);
        if (length < row->edges[i + 1] - row->edges[i])
            put_text(row, row->edges[i + 1] - length, row->edges[i + 1], text_of(size), PLAIN);
    }
    print_row(row);
}

// Puts a text into a part of a box if a blank before it and one glyph behind it have room too.
static bool put_if_fits(struct row *row, size_t from, size_t end, struct script_text text,
                        enum style style)
{
    enum { BEFORE = 1, BEHIND = 1 };
    if (text.length == 0 || from + BEFORE + text.length + BEHIND > end)
        return false;
    size_t behind = from + BEFORE + text.length;
    put_glyph(row, from, GLYPH_BLANK, PLAIN);
    put_text(row, from + BEFORE, behind, text, style);
    if (behind + BEHIND < end) // a blank behind it as well
        put_glyph(row, behind, GLYPH_BLANK, PLAIN);
    return true;
}

// Puts a label into the part of a box that was asked for, or into the rest of it, but hides neither:
// the whole label, else only the owner's name. In a box too narrow for that stands as much of the
// name as there is room for.
static void put_label(struct row *row, const struct box *box, size_t left, size_t middle,
                      size_t right)
{
    char label[MAP_TEXT_MAX];
    map_label(row->map, box, label);
    enum style style = looks[box->kind].style;
    if (!put_if_fits(row, left, middle, text_of(label), style) &&
        !put_if_fits(row, middle, right, text_of(label), style) &&
        !put_if_fits(row, left, middle, box->name, style) &&
        !put_if_fits(row, middle, right, box->name, style))
        put_text(row, left, right, box->name, style);
}

// Between the borders: headers, and who owns what.
static void draw_contents(struct row *row)
{
    for (size_t i = 0; i < row->map->count; i++) {
        const struct box *box = &row->map->boxes[i];
        const struct look *look = &looks[box->kind];
        size_t left = row->edges[i];
        size_t right = row->edges[i + 1];
        if (left == right)
            continue; // too many blocks for this width
        if (box->header != 0)
            put_glyph(row, left, GLYPH_HEADER, HEADER);
        else
            put_glyph(row, left, GLYPH_VERTICAL, DIM);
        size_t middle = left + 1 + map_filled(box, right - left - 1);
        put_glyphs(row, left + 1, middle, look->glyph, look->style);
        put_glyphs(row, middle, right, GLYPH_UNASKED, DIM);
        put_label(row, box, left + 1, middle, right);
    }
    put_glyph(row, row->width, GLYPH_VERTICAL, DIM);
    print_row(row);
}

// Marks where a variable points; "freed" is left out if the next mark is too near.
static void put_variable(struct row *row, const struct variable *variable, struct script_text name,
                         size_t column, size_t next)
{
    enum style style = variable->live ? BOLD : DIM;
    struct script_text freed = text_of(" freed");
    size_t end = column + 1 + name.length;
    put_glyph(row, column, variable->live ? GLYPH_MARK : GLYPH_FREED, style);
    put_text(row, column + 1, next, name, style);
    if (!variable->live && end + freed.length < next)
        put_text(row, end, next, freed, style);
}

// Where the program's own variables point, for a heap that cannot tell.
static void draw_variables(struct row *row, const struct map_scale *scale, const struct run *run)
{
    clear(row);
    const struct variable *variable = map_next_variable(run, NULL);
    while (variable != NULL) {
        const struct variable *next = map_next_variable(run, variable);
        size_t end = next == NULL ? row->width : map_place(scale, run_offset(run, next->pointer));
        put_variable(row, variable, run->script->names[variable - run->variables],
                     map_place(scale, run_offset(run, variable->pointer)), end);
        variable = next;
    }
    print_row(row);
}

static bool draw_map(const struct terminal *terminal, const struct step *step)
{
    enum { TAIL = 8, LEAST = 2 };
    struct map_scale scale = {
        .size = step->map->size,
        .extent = terminal->extent,
        .width = terminal->width - MARGIN - 2,
        .tail = TAIL,
        .least = LEAST,
    };
    size_t *edges = calloc(step->map->count + 1, sizeof *edges);
    struct cell *cells = calloc(scale.width + 1, sizeof *cells);
    bool good = edges != NULL && cells != NULL;
    if (good) {
        struct row row = {terminal, step->map, edges, cells, scale.width};
        map_layout(step->map, &scale, edges);
        draw_offsets(&row);
        draw_contents(&row);
        draw_sizes(&row);
        if (!step->map->headers && step->map->count > 1)
            draw_variables(&row, &scale, step->run);
    }
    free(edges);
    free(cells);
    return good;
}

// --- words around it -----------------------------------------------------------------------------

// The line of the script, broken between statements where it is too long.
static void print_heading(const struct terminal *terminal, const struct step *step)
{
    char number[24];
    size_t indent = (size_t)snprintf(number, sizeof number, "%zu: ", step->statements[0].line);
    size_t column = indent;
    print(terminal, DIM, "%s", number);
    for (size_t i = 0; i < step->count; i++) {
        struct script_text source = step->statements[i].source;
        if (i > 0 && column + source.length + 3 > terminal->width) {
            print(terminal, BOLD, ";\n%*s", (int)indent, "");
            column = indent;
        } else if (i > 0) {
            print(terminal, BOLD, "; ");
            column += 2;
        }
        print(terminal, BOLD, "%.*s", (int)source.length, source.start);
        column += source.length;
    }
    fputc('\n', terminal->out);
}

static void print_notes(const struct terminal *terminal, const struct step *step)
{
    for (size_t i = 0; i < step->count; i++) {
        struct script_text source = step->statements[i].source;
        char text[2 * RUN_NOTE_MAX];
        if (step->notes[i][0] == '\0')
            continue;
        snprintf(text, sizeof text, "%.*s%s=> %s", step->count > 1 ? (int)source.length : 0,
                 source.start, step->count > 1 ? " " : "", step->notes[i]);
        print_wrapped(terminal, NOTE, text);
    }
}

static void print_sums(const struct terminal *terminal, const struct map *map)
{
    char text[MAP_TEXT_MAX];
    map_describe_use(map, text);
    print_wrapped(terminal, PLAIN, text);
    map_describe_free(map, text);
    print_wrapped(terminal, PLAIN, text);
    map_describe_broken(map, text);
    print_wrapped(terminal, BAD, text);
}

static void print_table(const struct terminal *terminal, const struct map *map)
{
    print(terminal, DIM, "%*sblock    pointer     bytes  header  payload\n", MARGIN, "");
    for (size_t i = 0; i < map->count; i++) {
        const struct box *box = &map->boxes[i];
        bool is_block = box->kind != BOX_TOP && box->kind != BOX_BROKEN;
        char text[MAP_TEXT_MAX];
        map_describe_box(map, box, text);
        print(terminal, PLAIN, "%*s0x%04zx", MARGIN, "", box->offset);
        if (is_block)
            print(terminal, PLAIN, "   0x%04zx %9zu%8zu%9zu", box->offset + box->header, box->size,
                  box->header, box->size - box->header);
        else
            print(terminal, PLAIN, "%*zu%*s", 19, box->size, 17, "");
        print(terminal, PLAIN, "   %s\n", text);
    }
}

void terminal_legend(const struct terminal *terminal)
{
    static const struct {
        enum glyph glyph;
        enum style style;
        const char *meaning;
    } keys[] = {
        {GLYPH_HEADER, HEADER, "header"},
        {GLYPH_ASKED, USED, "asked for"},
        {GLYPH_UNASKED, DIM, "not asked for"},
        {GLYPH_FREE, FREE, "free"},
        {GLYPH_TOP, DIM, "top"},
    };
    enum { GAP = 3 };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        fprintf(terminal->out, "%*s", i == 0 ? MARGIN : GAP, "");
        print(terminal, keys[i].style, "%s", glyphs[keys[i].glyph][terminal->ascii]);
        fprintf(terminal->out, " %s", keys[i].meaning);
    }
    fprintf(terminal->out, "\n%*sabove: offsets   below: bytes\n\n", MARGIN, "");
}

bool terminal_step(const struct terminal *terminal, const struct step *step)
{
    for (size_t i = 0; i < step->count; i++) {
        struct script_text text = step->statements[i].text;
        if (step->statements[i].operation == SCRIPT_SAY)
            print(terminal, PLAIN, "%.*s\n", (int)text.length, text.start);
    }
    if (!step->draws)
        return true;
    print_heading(terminal, step);
    print_notes(terminal, step);
    if (!draw_map(terminal, step))
        return false;
    print_sums(terminal, step->map);
    if (!terminal->brief)
        print_table(terminal, step->map);
    fputc('\n', terminal->out);
    return true;
}
