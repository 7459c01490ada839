// A libFuzzer target: the parser of heap scripts. All that it returns must lie in the text, every name
// must exist, and its error line must be printable.

#define _GNU_SOURCE // for fmemopen under -std=c11

#include "parser.h"

#include "../../view/script.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool within(struct script_text part, const char *text, size_t size)
{
    return part.start >= text && part.start <= text + size &&
           part.length <= (size_t)(text + size - part.start);
}

static void look_at_statement(const struct script *script, size_t at, const char *text, size_t size)
{
    const struct script_statement *statement = &script->statements[at];
    bool names = statement->operation != SCRIPT_SAY;
    bool shown = statement->operation == SCRIPT_SAY;
    expect(statement->operation <= SCRIPT_SAY, "the operation is one of seven");
    expect(within(statement->source, text, size), "a statement's source lies in the text");
    expect(statement->source.length > 0, "a statement has a source");
    expect(!shown || within(statement->text, text, size), "what say shows lies in the text");
    expect(!names || statement->target < script->name_count, "the target has a name");
    expect(!names || statement->subject < script->name_count, "the subject has a name");
    expect(at == 0 || statement->line >= script->statements[at - 1].line, "lines go up");
    size_t end = script_line_end(script, at);
    expect(end > at && end <= script->count, "a line ends behind its first statement");
}

static void look_at_script(const struct script *script, const char *text, size_t size)
{
    for (size_t i = 0; i < script->name_count; i++)
        expect(within(script->names[i], text, size) && script->names[i].length > 0,
               "a name lies in the text");
    for (size_t i = 0; i < script->count; i++)
        look_at_statement(script, i, text, size);
}

static void look_at_error(const struct script_error *error, const char *text, size_t size)
{
    char line[1024] = "";
    FILE *to = fmemopen(line, sizeof line, "w");
    expect(to != NULL, "there is memory for a stream");
    expect(within(error->word, text, size), "the wrong word lies in the text");
    expect(error->problem != NULL && error->line >= 1, "an error has a line and a problem");
    script_print_error(to, "f", error);
    fclose(to);
    size_t length = strlen(line);
    expect(length > 0 && line[length - 1] == '\n', "an error is one line");
    for (size_t i = 0; i + 1 < length; i++)
        expect(isprint((unsigned char)line[i]) != 0, "an error is printable");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script;
    struct script_error error;
    char *text = exact_copy(data, size);
    if (script_parse(text, size, &script, &error)) {
        look_at_script(&script, text, size);
        script_free(&script);
    } else {
        look_at_error(&error, text, size);
    }
    free(text);
    return 0;
}
