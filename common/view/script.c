// The parser of heap scripts.

#include "script.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *at; // the next byte to read
    const char *end; // behind the last one
    size_t line;
    struct script *script;
    struct script_error *error;
};

// What follows an operation's word.
struct grammar {
    const char *word;
    enum script_operation operation;
    bool assigns; // name = ...
    bool takes_name;
    size_t numbers;
    const char *example;
};

static const struct grammar operations[] = {
    {"malloc", SCRIPT_MALLOC, true, false, 1, "a = malloc 10"},
    {"calloc", SCRIPT_CALLOC, true, false, 2, "a = calloc 10 20"},
    {"realloc", SCRIPT_REALLOC, true, true, 1, "a = realloc a 10"},
    {"aligned_alloc", SCRIPT_ALIGNED_ALLOC, true, false, 2, "a = aligned_alloc 64 10"},
    {"free", SCRIPT_FREE, false, true, 0, "free a"},
    {"write", SCRIPT_WRITE, false, true, 1, "write a 10"},
    {"say", SCRIPT_SAY, false, false, 0, "say hello"},
};

// --- words ---------------------------------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool ends_statement(char c)
{
    return c == '\n' || c == ';' || c == '#';
}

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end && is_blank(*parser->at))
        parser->at++;
}

// The next word of the statement; empty if none is left. '=' is a word of its own.
static struct script_text next_word(struct parser *parser)
{
    skip_blanks(parser);
    const char *start = parser->at;
    if (start < parser->end && *start == '=')
        parser->at++;
    else
        while (parser->at < parser->end && !is_blank(*parser->at) && *parser->at != '=' &&
               !ends_statement(*parser->at))
            parser->at++;
    return (struct script_text){start, (size_t)(parser->at - start)};
}

// The text from start to end, without blanks at its end.
static struct script_text without_blanks(const char *start, const char *end)
{
    while (end > start && is_blank(end[-1]))
        end--;
    return (struct script_text){start, (size_t)(end - start)};
}

// The rest of the line, without the blanks around it.
static struct script_text rest_of_line(struct parser *parser)
{
    skip_blanks(parser);
    const char *start = parser->at;
    while (parser->at < parser->end && *parser->at != '\n')
        parser->at++;
    return without_blanks(start, parser->at);
}

static bool same_text(struct script_text a, struct script_text b)
{
    return a.length == b.length && memcmp(a.start, b.start, a.length) == 0;
}

static bool is_word(struct script_text text, const char *word)
{
    return same_text(text, (struct script_text){word, strlen(word)});
}

// Always false, so that a caller can return it.
static bool fail(struct parser *parser, struct script_text word, const char *problem)
{
    *parser->error = (struct script_error){parser->line, word, problem, NULL};
    return false;
}

// --- names and numbers ---------------------------------------------------------------------------

static const struct grammar *find_operation(struct script_text word)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (is_word(word, operations[i].word))
            return &operations[i];
    return NULL;
}

// A word that is no operation, but may be the beginning of a C call: malloc(10).
static bool fail_unknown(struct parser *parser, struct script_text word)
{
    const char *parenthesis = memchr(word.start, '(', word.length);
    fail(parser, word, "unknown word");
    if (parenthesis != NULL) {
        word.length = (size_t)(parenthesis - word.start);
        const struct grammar *grammar = find_operation(word);
        parser->error->example = grammar != NULL ? grammar->example : NULL;
    }
    return false;
}

static bool is_name(struct script_text word)
{
    if (word.length == 0 || isdigit((unsigned char)word.start[0]))
        return false;
    for (size_t i = 0; i < word.length; i++)
        if (!isalnum((unsigned char)word.start[i]) && word.start[i] != '_')
            return false;
    return true;
}

// The index of a name; name_count if it is new.
static size_t find_name(const struct script *script, struct script_text name)
{
    size_t i = 0;
    while (i < script->name_count && !same_text(script->names[i], name))
        i++;
    return i;
}

static bool check_target(struct parser *parser, struct script_text name)
{
    if (!is_name(name))
        return fail(parser, name, "not a name (letters, digits and '_', no digit first)");
    if (find_operation(name) != NULL)
        return fail(parser, name, "the name of an operation cannot name a block");
    return true;
}

static void define_name(struct script *script, struct script_text name, size_t *index)
{
    *index = find_name(script, name);
    if (*index == script->name_count)
        script->names[script->name_count++] = name;
}

static bool parse_name(struct parser *parser, struct script_text operation, size_t *index)
{
    struct script_text name = next_word(parser);
    if (name.length == 0)
        return fail(parser, operation, "a name must follow");
    *index = find_name(parser->script, name);
    if (*index == parser->script->name_count)
        return fail(parser, name, "no line before this one gives this name to a block");
    return true;
}

// What a suffix multiplies by; 0 if it is none.
static size_t unit_of(struct script_text suffix)
{
    if (suffix.length == 0)
        return 1;
    if (is_word(suffix, "K") || is_word(suffix, "k"))
        return 1024;
    return is_word(suffix, "M") || is_word(suffix, "m") ? 1024 * 1024 : 0;
}

static bool parse_number(struct parser *parser, struct script_text operation, size_t *number)
{
    struct script_text word = next_word(parser);
    if (word.length == 0)
        return fail(parser, operation, "a number must follow");
    size_t digits = 0;
    bool too_large = false;
    *number = 0;
    for (; digits < word.length && isdigit((unsigned char)word.start[digits]); digits++) {
        size_t digit = (size_t)(word.start[digits] - '0');
        too_large = too_large || *number > (SIZE_MAX - digit) / 10;
        *number = *number * 10 + digit;
    }
    size_t unit = unit_of((struct script_text){word.start + digits, word.length - digits});
    if (digits == 0 || unit == 0)
        return fail(parser, word, "not a number (such as 100, 4K or 1M)");
    if (too_large || *number > SIZE_MAX / unit)
        return fail(parser, word, "number out of range");
    *number *= unit;
    return true;
}

// --- statements ----------------------------------------------------------------------------------

// Reads "name =" if the statement begins so; word is then the operation behind it.
static bool parse_assignment(struct parser *parser, struct script_text *word,
                             struct script_text *target)
{
    const char *behind = parser->at;
    struct script_text equals = next_word(parser);
    if (!is_word(equals, "=")) {
        parser->at = behind;
        return true;
    }
    if (!check_target(parser, *word))
        return false;
    *target = *word;
    *word = next_word(parser);
    return word->length != 0 || fail(parser, equals, "an operation must follow");
}

// say shows its text as it is, so nothing in it may move a terminal's cursor or break an SVG.
static bool parse_text(struct parser *parser, struct script_text *text)
{
    *text = rest_of_line(parser);
    for (size_t i = 0; i < text->length; i++)
        if (text->start[i] < ' ' || text->start[i] > '~')
            return fail(parser, (struct script_text){text->start + i, 1}, "not printable ASCII");
    return true;
}

static bool parse_arguments(struct parser *parser, const struct grammar *grammar,
                            struct script_text word, struct script_statement *statement)
{
    if (grammar->takes_name && !parse_name(parser, word, &statement->subject))
        return false;
    for (size_t i = 0; i < grammar->numbers; i++)
        if (!parse_number(parser, word, &statement->numbers[i]))
            return false;
    if (grammar->operation == SCRIPT_SAY && !parse_text(parser, &statement->text))
        return false;
    struct script_text extra = next_word(parser);
    return extra.length == 0 || fail(parser, extra, "nothing may follow here");
}

static bool parse_statement(struct parser *parser)
{
    struct script_text word = next_word(parser);
    if (word.length == 0)
        return true; // a blank line, or one that holds only a comment
    struct script_text target = {NULL, 0};
    struct script_statement statement = {.line = parser->line, .source = word};
    if (!parse_assignment(parser, &word, &target))
        return false;
    const struct grammar *grammar = find_operation(word);
    if (grammar == NULL)
        return fail_unknown(parser, word);
    if (grammar->assigns != (target.length != 0))
        return fail(parser, word,
                    grammar->assigns ? "the result needs a name: name = ..." : "gives no result");
    statement.operation = grammar->operation;
    if (!parse_arguments(parser, grammar, word, &statement))
        return false;
    statement.source = without_blanks(statement.source.start, parser->at);
    if (target.length != 0)
        define_name(parser->script, target, &statement.target);
    parser->script->statements[parser->script->count++] = statement;
    return true;
}

// Steps over what ended a statement.
static void parse_separator(struct parser *parser)
{
    if (parser->at < parser->end && *parser->at == '#')
        rest_of_line(parser);
    if (parser->at < parser->end && *parser->at++ == '\n')
        parser->line++;
}

static size_t count_statements_at_most(const char *text, size_t length)
{
    size_t count = 1;
    for (size_t i = 0; i < length; i++)
        count += text[i] == '\n' || text[i] == ';';
    return count;
}

bool script_parse(const char *text, size_t length, struct script *script,
                  struct script_error *error)
{
    size_t at_most = count_statements_at_most(text, length);
    *script = (struct script){
        .statements = calloc(at_most, sizeof *script->statements),
        .names = calloc(at_most, sizeof *script->names),
    };
    struct parser parser = {text, text + length, 1, script, error};
    bool good = script->statements != NULL && script->names != NULL;
    if (!good)
        fail(&parser, (struct script_text){text, 0}, "out of memory");
    while (good && parser.at < parser.end) {
        good = parse_statement(&parser);
        parse_separator(&parser);
    }
    if (!good)
        script_free(script);
    return good;
}

void script_free(struct script *script)
{
    free(script->statements);
    free(script->names);
    *script = (struct script){.count = 0};
}

void script_print_error(FILE *to, const char *file, const struct script_error *error)
{
    enum { SHOWN = 40 }; // bytes of a word that are shown at most
    fprintf(to, "%s:%zu: '", file, error->line);
    for (size_t i = 0; i < error->word.length && i < SHOWN; i++) {
        unsigned char c = (unsigned char)error->word.start[i];
        fprintf(to, isprint(c) ? "%c" : "\\x%02x", c);
    }
    fprintf(to, "%s': %s", error->word.length > SHOWN ? "..." : "", error->problem);
    if (error->example != NULL)
        fprintf(to, " (write: %s)", error->example);
    fputc('\n', to);
}

size_t script_line_end(const struct script *script, size_t first)
{
    size_t end = first;
    while (end < script->count && script->statements[end].line == script->statements[first].line)
        end++;
    return end;
}
