// Runs a heap script on one stage and draws the heap after every line.

#define _POSIX_C_SOURCE 200809L // for fileno and isatty under -std=c11

#include "map.h"
#include "run.h"
#include "script.h"
#include "step.h"

#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    WIDTH_MIN = 60, // columns
    WIDTH_MAX = 1000,
};

struct options {
    const char *program;
    const char *file; // NULL: standard input
    size_t size;
    size_t width;
    size_t from; // the first line to be drawn
    bool svg;
    bool ascii;
    bool brief;
    bool colour;
};

static const char help[] =
    "usage: %s [options] [script]\n"
    "Runs a heap script and draws the heap after every line. Without a script, or with -,\n"
    "it reads standard input. common/view/README.md describes the language.\n"
    "\n"
    "  --ascii                    draw with ASCII even where the terminal can do better\n"
    "  --brief                    leave out the table of blocks\n"
    "  --colour                   use colour even where output is no terminal\n"
    "  --from=LINE                draw only from this line of the script on\n"
    "  --format=terminal|svg      what to draw (terminal)\n"
    "  --size=BYTES               bytes of the region that blocks can have (8192)\n"
    "  --width=COLUMNS            of the terminal (80)\n"
    "  --help                     this text\n"
    "\n"
    "NO_COLOR in the environment switches colour off; it is off where output is no terminal.\n";

// --- options -------------------------------------------------------------------------------------

static bool usage_error(const struct options *options, const char *word, const char *problem)
{
    fprintf(stderr, "%s: '%s': %s (try --help)\n", options->program, word, problem);
    return false;
}

static bool parse_size(const struct options *options, const char *word, size_t least, size_t most,
                       size_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end != '\0')
        return usage_error(options, word, "not a number");
    if (errno != 0 || value < least || value > most) {
        fprintf(stderr, "%s: '%s': not from %zu to %zu (try --help)\n", options->program, word,
                least, most);
        return false;
    }
    *number = (size_t)value;
    return true;
}

static bool parse_format(struct options *options, const char *word)
{
    options->svg = strcmp(word, "svg") == 0;
    return options->svg || strcmp(word, "terminal") == 0 ||
           usage_error(options, word, "unknown format: terminal or svg");
}

static bool parse_option(struct options *options, int letter)
{
    switch (letter) {
    case 'a':
        options->ascii = true;
        return true;
    case 'b':
        options->brief = true;
        return true;
    case 'c':
        options->colour = true;
        return true;
    case 'f':
        return parse_format(options, optarg);
    case 'l':
        return parse_size(options, optarg, 1, SIZE_MAX, &options->from);
    case 's':
        return parse_size(options, optarg, RUN_SIZE_MIN, RUN_SIZE_MAX, &options->size);
    case 'w':
        return parse_size(options, optarg, WIDTH_MIN, WIDTH_MAX, &options->width);
    case 'h':
        printf(help, options->program);
        exit(EXIT_SUCCESS);
    default:
        return false; // getopt_long said why
    }
}

static bool parse_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"ascii", no_argument, NULL, 'a'},
        {"brief", no_argument, NULL, 'b'},
        {"format", required_argument, NULL, 'f'},
        {"size", required_argument, NULL, 's'},
        {"width", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {"from", required_argument, NULL, 'l'},
        {"colour", no_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(argc, argv, "h", names, NULL)) != -1)
        if (!parse_option(options, letter))
            return false;
    if (optind + 1 < argc)
        return usage_error(options, argv[optind + 1], "one script at a time");
    if (optind < argc && strcmp(argv[optind], "-") != 0)
        options->file = argv[optind];
    return true;
}

// --- the script ----------------------------------------------------------------------------------

// All bytes of a file, to be freed; NULL with errno set if that cannot be.
static char *read_all(FILE *file, size_t *length)
{
    size_t room = 4096;
    char *text = malloc(room);
    *length = 0;
    while (text != NULL && !feof(file) && !ferror(file)) {
        *length += fread(text + *length, 1, room - *length, file);
        if (*length == room) {
            room *= 2;
            char *larger = realloc(text, room);
            if (larger == NULL)
                free(text);
            text = larger;
        }
    }
    if (text != NULL && ferror(file)) {
        free(text);
        return NULL;
    }
    return text;
}

static char *read_script(const struct options *options, size_t *length)
{
    if (options->file == NULL && isatty(fileno(stdin)))
        fputs("reading a script from standard input; end it with Ctrl-D (or name a file)\n",
              stderr);
    FILE *file = options->file == NULL ? stdin : fopen(options->file, "r");
    char *text = file == NULL ? NULL : read_all(file, length);
    if (text == NULL)
        fprintf(stderr, "%s: '%s': %s\n", options->program,
                options->file == NULL ? "-" : options->file, strerror(errno));
    if (file != NULL && file != stdin)
        fclose(file);
    return text;
}

// --- drawing -------------------------------------------------------------------------------------

// What all steps are drawn with.
struct view {
    struct terminal terminal;
    struct svg svg;
    bool is_svg;
    bool silent; // the line that runs is not drawn
};

static bool can_unicode(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool can_colour(const struct options *options)
{
    const char *terminal = getenv("TERM");
    return (options->colour || isatty(fileno(stdout))) && getenv("NO_COLOR") == NULL &&
           terminal != NULL && strcmp(terminal, "dumb") != 0;
}

static bool view_begin(struct view *view, const struct options *options,
                       const struct script *script)
{
    size_t extent = map_extent(script, options->size);
    *view = (struct view){
        .terminal = {.out = stdout,
                     .width = options->width,
                     .extent = extent,
                     .ascii = options->ascii || !can_unicode(),
                     .colour = can_colour(options),
                     .brief = options->brief},
        .is_svg = options->svg,
    };
    if (view->is_svg)
        return svg_begin(&view->svg, extent);
    terminal_legend(&view->terminal);
    return true;
}

// Runs the statements of one line and draws what became of the heap.
static bool view_line(struct view *view, struct run *run, size_t first, size_t end)
{
    struct map map = {.count = 0};
    struct step step = {
        .run = run,
        .statements = run->script->statements + first,
        .count = end - first,
        .notes = calloc(end - first, sizeof *step.notes),
        .map = &map,
    };
    if (step.notes == NULL)
        return false;
    for (size_t i = 0; i < step.count; i++) {
        step.draws = step.draws || step.statements[i].operation != SCRIPT_SAY;
        run_statement(run, &step.statements[i], step.notes[i]);
    }
    bool good = map_take(&map, run);
    if (good && !view->silent)
        good = view->is_svg ? svg_step(&view->svg, &step) : terminal_step(&view->terminal, &step);
    map_free(&map);
    free(step.notes);
    return good;
}

static bool view_script(const struct options *options, const struct script *script)
{
    struct run run;
    if (!run_begin(&run, script, options->size))
        return false;
    struct view view;
    bool good = view_begin(&view, options, script);
    for (size_t first = 0; good && first < script->count;) {
        size_t end = script_line_end(script, first);
        view.silent = script->statements[first].line < options->from;
        good = view_line(&view, &run, first, end);
        fflush(stdout); // what was drawn stays visible if the allocator under test crashes
        first = end;
    }
    if (view.is_svg)
        good = svg_end(&view.svg, options->file == NULL ? "-" : options->file, stdout) && good;
    run_end(&run);
    return good;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    struct options options = {.program = argv[0], .size = RUN_SIZE_MIN, .width = 80};
    if (!parse_options(&options, argc, argv))
        return EXIT_USAGE;
    size_t length;
    char *text = read_script(&options, &length);
    if (text == NULL)
        return EXIT_USAGE;
    struct script script;
    struct script_error error;
    if (!script_parse(text, length, &script, &error)) {
        script_print_error(stderr, options.file == NULL ? "-" : options.file, &error);
        free(text);
        return EXIT_USAGE;
    }
    bool good = view_script(&options, &script);
    script_free(&script);
    free(text);
    if (!good || fflush(stdout) != 0) {
        fprintf(stderr, "%s: %s\n", options.program, strerror(errno));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
