// Draws heap maps as one SVG, readable on light and dark ground.

#define _POSIX_C_SOURCE 200809L // for open_memstream under -std=c11

#include "step.h"

#include <stdlib.h>
#include <string.h>

// All in units of the picture.
enum {
    WIDTH = 800,
    MARGIN = 20,
    INNER = WIDTH - 2 * MARGIN,
    LINE = 19, // from one line of text to the next
    CHARACTER = 8, // width of one, with room to spare
    BOX = 44, // height of a box
    HEADER = 4, // width of a header: 8 bytes would be too thin to see
    TAIL = 60,
    LEAST = 10,
    LINKS = 30, // height of the arrows of the free lists
    GAP = 26, // between two pictures
};

static const char style[] =
    "<style>\n"
    "text{font:13px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1b1f24}\n"
    ".step{font-weight:bold;font-size:14px}.small{font-size:12px}.dim{fill:#57606a}\n"
    ".note{fill:#8250df;font-weight:bold}.bad{fill:#b3261e;font-weight:bold}\n"
    "rect{stroke:none}.used{fill:#dbe7f6}.asked{fill:#8db4e2}.free{fill:#fbe3b5}\n"
    ".broken{fill:#f6c6c2}.cached{fill:#e3d5f2}.top{fill:#f1f3f5}.header{fill:#24477a}.freeheader{"
    "fill:#9a6700}\n"
    ".frame{fill:none;stroke:#57606a}.link{fill:none;stroke:#9a6700}.tip{fill:#9a6700}.gone{fill:"
    "none;stroke:#57606a}\n"
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#9da7b1}\n"
    ".note{fill:#d2a8ff}.bad{fill:#ff8f87}.used{fill:#22344d}.asked{fill:#355f94}.free{fill:#"
    "4d3b12}\n"
    ".broken{fill:#6b2420}.cached{fill:#43325a}.top{fill:#21262d}.header{fill:#9cc4f5}.freeheader{"
    "fill:#e3b341}\n"
    ".frame{stroke:#8b949e}.link{stroke:#e3b341}.tip{fill:#e3b341}.gone{stroke:#8b949e}}\n"
    "</style>\n";

static const char *const classes[] = {
    [BOX_USED] = "used",     [BOX_FREE] = "free", [BOX_CACHED] = "cached",
    [BOX_BROKEN] = "broken", [BOX_TOP] = "top",
};

// --- elements ------------------------------------------------------------------------------------

static void put_escaped(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '&')
            fputs("&amp;", out);
        else if (text[i] == '<')
            fputs("&lt;", out);
        else if (text[i] == '>')
            fputs("&gt;", out);
        else
            fputc(text[i] < ' ' || text[i] > '~' ? '?' : text[i], out);
    }
}

static void put_text(const struct svg *svg, const char *class, size_t x, size_t y, const char *text)
{
    fprintf(svg->body, "<text class=\"%s\" x=\"%zu\" y=\"%zu\">", class, x, y);
    put_escaped(svg->body, text, strlen(text));
    fputs("</text>\n", svg->body);
}

// A line of text of its own; no line for no text.
static void put_line(struct svg *svg, const char *class, const char *text)
{
    if (text[0] == '\0')
        return;
    svg->height += LINE;
    put_text(svg, class, MARGIN, svg->height, text);
}

static void put_rect(const struct svg *svg, const char *class, size_t x, size_t width)
{
    fprintf(svg->body, "<rect class=\"%s\" x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%d\"/>\n",
            class, x, svg->height, width, BOX);
}

// Puts a text at x if it fits before end; returns whether it does.
static bool put_if_fits(const struct svg *svg, const char *class, size_t x, size_t end, size_t y,
                        const char *text)
{
    bool fits = x + strlen(text) * CHARACTER <= end;
    if (fits)
        put_text(svg, class, x, y, text);
    return fits;
}

// --- the picture ---------------------------------------------------------------------------------

// What appears when the pointer rests on a box: its line of the terminal's table.
static void put_tooltip(const struct svg *svg, const struct map *map, const struct box *box)
{
    char text[MAP_TEXT_MAX];
    map_describe_box(map, box, text);
    fprintf(svg->body, "<title>0x%04zx: %zu bytes, header %zu, %s</title>\n", box->offset,
            box->size, box->header, text);
}

static void put_box(const struct svg *svg, const struct map *map, const struct box *box,
                    size_t left, size_t right)
{
    size_t header = box->header != 0 ? HEADER : 0;
    size_t inside = left + header;
    size_t middle = svg->height + BOX / 2;
    char text[MAP_TEXT_MAX];
    fputs("<g>", svg->body);
    put_tooltip(svg, map, box);
    put_rect(svg, classes[box->kind], left, right - left);
    if (box->kind == BOX_USED)
        put_rect(svg, "asked", inside, map_filled(box, right - inside));
    if (header != 0)
        put_rect(svg, box->kind == BOX_FREE ? "freeheader" : "header", left, header);
    put_rect(svg, "frame", left, right - left);
    map_label(map, box, text);
    if (!put_if_fits(svg, "label", inside + 4, right, middle - 3, text)) {
        snprintf(text, sizeof text, "%.*s", (int)box->name.length, box->name.start);
        put_if_fits(svg, "label", inside + 2, right, middle - 3, text);
    }
    snprintf(text, sizeof text, "%zu", box->size);
    put_if_fits(svg, "small", inside + 4, right, middle + 15, text);
    snprintf(text, sizeof text, "0x%04zx", box->offset);
    put_if_fits(svg, "small dim", left, right, svg->height - 4, text);
    fputs("</g>\n", svg->body);
}

// The box of the block at offset; count if there is none.
static size_t find_box(const struct map *map, size_t offset)
{
    size_t i = 0;
    while (i < map->count && map->boxes[i].offset != offset)
        i++;
    return i;
}

// Arrows from each free block to the next on its list.
static void put_links(struct svg *svg, const struct map *map, const size_t *edges)
{
    bool any = false;
    for (size_t i = 0; i < map->count; i++) {
        size_t next = map->boxes[i].has_next ? find_box(map, map->boxes[i].next) : map->count;
        if (next == map->count)
            continue;
        size_t from = MARGIN + (edges[i] + edges[i + 1]) / 2;
        size_t to = MARGIN + (edges[next] + edges[next + 1]) / 2;
        fprintf(svg->body,
                "<path class=\"link\" d=\"M%zu %zuv6c0 %d %zd %d %zd 0v-4\"/>"
                "<path class=\"tip\" d=\"M%zu %zul-4 8h8z\"/>\n",
                from, svg->height, LINKS - 8, (ssize_t)(to - from), LINKS - 8, (ssize_t)(to - from),
                to, svg->height + 1);
        any = true;
    }
    svg->height += any ? LINKS : 0;
}

// Marks where a variable points; "freed" is left out if the next mark is too near.
static void put_variable(const struct svg *svg, const struct variable *variable,
                         struct script_text name, size_t x, size_t next)
{
    char text[MAP_TEXT_MAX];
    const char *class = variable->live ? "label" : "dim";
    fprintf(svg->body, "<path class=\"%s\" d=\"M%zu %zul-4 8h8z\"/>\n",
            variable->live ? "tip" : "gone", x, svg->height + 1);
    snprintf(text, sizeof text, "%.*s freed", (int)name.length, name.start);
    if (!variable->live && put_if_fits(svg, class, x + 6, next, svg->height + 14, text))
        return;
    snprintf(text, sizeof text, "%.*s", (int)name.length, name.start);
    put_if_fits(svg, class, x + 6, next, svg->height + 14, text);
}

// Where the program's own variables point, for a heap that cannot tell.
static void put_variables(struct svg *svg, const struct map_scale *scale, const struct run *run)
{
    const struct variable *variable = map_next_variable(run, NULL);
    while (variable != NULL) {
        const struct variable *next = map_next_variable(run, variable);
        size_t end = next == NULL ? WIDTH : map_place(scale, run_offset(run, next->pointer));
        put_variable(svg, variable, run->script->names[variable - run->variables],
                     MARGIN + map_place(scale, run_offset(run, variable->pointer)), MARGIN + end);
        variable = next;
    }
    svg->height += LINE;
}

static bool put_map(struct svg *svg, const struct step *step)
{
    struct map_scale scale = {
        .size = step->map->size,
        .extent = svg->extent,
        .width = INNER,
        .tail = TAIL,
        .least = LEAST,
    };
    size_t *edges = calloc(step->map->count + 1, sizeof *edges);
    if (edges == NULL)
        return false;
    map_layout(step->map, &scale, edges);
    svg->height += LINE + 4; // the offsets stand above
    for (size_t i = 0; i < step->map->count; i++)
        put_box(svg, step->map, &step->map->boxes[i], MARGIN + edges[i], MARGIN + edges[i + 1]);
    svg->height += BOX;
    put_links(svg, step->map, edges);
    if (!step->map->headers && step->map->count > 1)
        put_variables(svg, &scale, step->run);
    free(edges);
    return true;
}

// --- words around it -----------------------------------------------------------------------------

static void put_source(const struct svg *svg, const struct script_statement *statement)
{
    put_escaped(svg->body, statement->source.start, statement->source.length);
}

// The line of the script, broken between statements where it is too long.
static void put_heading(struct svg *svg, const struct step *step)
{
    enum { ROOM = INNER / 9 }; // characters of a bold line
    size_t column = 0;
    svg->height += LINE;
    fprintf(svg->body, "<text class=\"step\" x=\"%d\" y=\"%zu\"><tspan class=\"dim\">%zu:</tspan> ",
            MARGIN, svg->height, step->statements[0].line);
    for (size_t i = 0; i < step->count; i++) {
        size_t length = step->statements[i].source.length + 2;
        column += length;
        fputs(i == 0 ? "" : "; ", svg->body);
        if (i > 0 && column > ROOM) {
            column = length;
            svg->height += LINE;
            fprintf(svg->body, "</text>\n<text class=\"step\" x=\"%d\" y=\"%zu\">", 2 * MARGIN,
                    svg->height);
        }
        put_source(svg, &step->statements[i]);
    }
    fputs("</text>\n", svg->body);
}

static void put_notes(struct svg *svg, const struct step *step)
{
    for (size_t i = 0; i < step->count; i++) {
        if (step->notes[i][0] == '\0')
            continue;
        svg->height += LINE;
        fprintf(svg->body, "<text class=\"note\" x=\"%d\" y=\"%zu\">", MARGIN, svg->height);
        if (step->count > 1)
            put_source(svg, &step->statements[i]);
        put_escaped(svg->body, " => ", 4);
        put_escaped(svg->body, step->notes[i], strlen(step->notes[i]));
        fputs("</text>\n", svg->body);
    }
}

static void put_sums(struct svg *svg, const struct map *map)
{
    char text[MAP_TEXT_MAX];
    map_describe_use(map, text);
    put_line(svg, "dim", text);
    map_describe_free(map, text);
    put_line(svg, "dim", text);
    map_describe_broken(map, text);
    put_line(svg, "bad", text);
}

static void put_sayings(struct svg *svg, const struct step *step)
{
    for (size_t i = 0; i < step->count; i++) {
        const struct script_statement *statement = &step->statements[i];
        if (statement->operation != SCRIPT_SAY)
            continue;
        svg->height += LINE;
        fprintf(svg->body, "<text x=\"%d\" y=\"%zu\">", MARGIN, svg->height);
        put_escaped(svg->body, statement->text.start, statement->text.length);
        fputs("</text>\n", svg->body);
    }
}

static void put_legend(struct svg *svg)
{
    static const struct {
        const char *class;
        const char *meaning;
    } keys[] = {
        {"header", "header"}, {"asked", "asked for"}, {"used", "not asked for"},
        {"free", "free"},     {"top", "top"},
    };
    enum { SQUARE = 12 };
    size_t x = MARGIN;
    svg->height += LINE;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        fprintf(svg->body,
                "<g class=\"key\"><rect class=\"%s\" x=\"%zu\" y=\"%zu\" width=\"%d\" "
                "height=\"%d\"/><rect class=\"frame\" x=\"%zu\" y=\"%zu\" width=\"%d\" "
                "height=\"%d\"/></g>\n",
                keys[i].class, x, svg->height - SQUARE + 2, SQUARE, SQUARE, x,
                svg->height - SQUARE + 2, SQUARE, SQUARE);
        put_text(svg, "dim", x + SQUARE + 6, svg->height, keys[i].meaning);
        x += SQUARE + 6 + (strlen(keys[i].meaning) + 3) * CHARACTER;
    }
    svg->height += LINE;
}

bool svg_begin(struct svg *svg, size_t extent)
{
    *svg = (struct svg){.extent = extent, .height = MARGIN / 2};
    svg->body = open_memstream(&svg->text, &svg->length);
    if (svg->body == NULL)
        return false;
    put_legend(svg);
    return true;
}

bool svg_step(struct svg *svg, const struct step *step)
{
    put_sayings(svg, step);
    if (!step->draws)
        return true;
    put_heading(svg, step);
    put_notes(svg, step);
    if (!put_map(svg, step))
        return false;
    put_sums(svg, step->map);
    svg->height += GAP;
    return true;
}

bool svg_end(struct svg *svg, const char *title, FILE *out)
{
    if (svg->body == NULL || fclose(svg->body) != 0) {
        free(svg->text);
        return false;
    }
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" height=\"%zu\" "
            "viewBox=\"0 0 %d %zu\">\n<title>",
            WIDTH, svg->height, WIDTH, svg->height);
    put_escaped(out, title, strlen(title));
    fputs("</title>\n", out);
    fputs(style, out);
    fwrite(svg->text, 1, svg->length, out);
    fputs("</svg>\n", out);
    free(svg->text);
    return true;
}
