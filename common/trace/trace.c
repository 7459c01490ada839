// The parser of traces. FORMAT.md describes what it reads.

#define _POSIX_C_SOURCE 200809L // for O_CLOEXEC under -std=c11

#include "trace.h"

#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WORDS_MAX = 5, // an operation has at most 4; one more shows that something follows
    HEADER_LINES = 4, // of the malloc lab
    HEADER_LINES_SHORT = 2,
    WEIGHT_MAX = 3, // the malloc lab's weights are 0 to 3
    THREADS_MAX = 65536,
    SHOWN_MAX = 40, // characters of a wrong word that a message shows
};

struct word {
    const char *start;
    size_t length;
};

struct slot {
    size_t size; // of the block in it
    uint32_t next_unused; // TRACE_NULL: none
};

struct parser {
    struct trace trace;
    struct trace_error *error;
    size_t line;
    uint64_t header[HEADER_LINES];
    size_t header_lines;
    size_t header_places[HEADER_LINES]; // their line numbers
    struct table live;
    struct slot *slots;
    size_t slots_bytes;
    uint32_t unused; // the slot freed last, TRACE_NULL: none
    size_t payload; // of all live blocks
    size_t live_blocks;
    uint32_t *threads; // by the trace's number: ours plus 1, or 0
};

// --- memory ---------------------------------------------------------------------------------------

void trace_release(struct trace *trace)
{
    table_unmap(trace->ops, trace->ops_bytes);
    *trace = (struct trace){.ops = NULL};
}

// --- errors ---------------------------------------------------------------------------------------

__attribute__((format(printf, 2, 3))) static bool fail(struct parser *parser, const char *format,
                                                       ...)
{
    parser->error->line = parser->line;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parser->error->reason, sizeof parser->error->reason, format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_memory(struct parser *parser)
{
    parser->line = 0;
    return fail(parser, "not enough memory");
}

// A word as a message can show it: printable, and not too long.
struct shown {
    char text[SHOWN_MAX + sizeof "..."];
};

static struct shown show(struct word word)
{
    struct shown shown = {""};
    size_t length = word.length < SHOWN_MAX ? word.length : SHOWN_MAX;
    memcpy(shown.text, word.start, length);
    for (size_t i = 0; i < length; i++)
        if (shown.text[i] < '!' || shown.text[i] > '~')
            shown.text[i] = '?';
    if (length < word.length)
        memcpy(shown.text + length, "...", sizeof "...");
    return shown;
}

void trace_print_error(const char *path, const struct trace_error *error)
{
    if (error->line == 0)
        fprintf(stderr, "%s: %s\n", path, error->reason);
    else
        fprintf(stderr, "%s:%zu: %s\n", path, error->line, error->reason);
}

// --- words and numbers ----------------------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// Splits a line up to its comment. Words beyond WORDS_MAX are left out.
static size_t split(const char *at, const char *end, struct word words[WORDS_MAX])
{
    size_t count = 0;
    while (count < WORDS_MAX) {
        while (at < end && is_blank(*at))
            at++;
        if (at == end || *at == '#')
            return count;
        const char *start = at;
        while (at < end && !is_blank(*at) && *at != '#')
            at++;
        words[count++] = (struct word){start, (size_t)(at - start)};
    }
    return count;
}

// What a word must be, and how a message names it.
struct number_rule {
    const char *name;
    uint64_t max;
    const char *max_text;
};

static const struct number_rule id_rule = {"an id", UINT64_MAX, "2^64 - 1"};
static const struct number_rule size_rule = {"a size", PTRDIFF_MAX, "PTRDIFF_MAX"};
static const struct number_rule thread_rule = {"a thread number", THREADS_MAX - 1, "65535"};
static const struct number_rule header_rule = {"a header line", UINT64_MAX, "2^64 - 1"};

static bool fail_number(struct parser *parser, struct word word, const struct number_rule *rule)
{
    if (word.length > 1 && word.start[0] == '-' && '0' <= word.start[1] && word.start[1] <= '9')
        return fail(parser, "'%s': %s cannot be negative", show(word).text, rule->name);
    return fail(parser, "'%s': %s must be a number", show(word).text, rule->name);
}

static bool parse_number(struct parser *parser, struct word word, const struct number_rule *rule,
                         uint64_t *number)
{
    uint64_t value = 0;
    bool too_large = false;
    for (size_t i = 0; i < word.length; i++) {
        if (word.start[i] < '0' || word.start[i] > '9')
            return fail_number(parser, word, rule);
        uint64_t digit = (uint64_t)(word.start[i] - '0');
        too_large = too_large || value > (rule->max - digit) / 10;
        value = value * 10 + digit;
    }
    if (too_large)
        return fail(parser, "'%s': %s is at most %s", show(word).text, rule->name, rule->max_text);
    *number = value;
    return true;
}

static bool is(struct word word, const char *text)
{
    return word.length == strlen(text) && memcmp(word.start, text, word.length) == 0;
}

// --- operations -----------------------------------------------------------------------------------

static bool in_lab_dialect(const struct parser *parser)
{
    return parser->header_lines != 0;
}

static void append(struct parser *parser, struct trace_op op)
{
    parser->trace.ops[parser->trace.count++] = op;
}

static uint32_t take_slot(struct parser *parser)
{
    uint32_t slot = parser->unused;
    if (slot == TRACE_NULL)
        return (uint32_t)parser->trace.slots++;
    parser->unused = parser->slots[slot].next_unused;
    return slot;
}

static bool resize(struct parser *parser, uint32_t slot, size_t size)
{
    parser->payload -= parser->slots[slot].size;
    if (size > SIZE_MAX - parser->payload)
        return fail(parser, "the live blocks have more than SIZE_MAX bytes");
    parser->payload += size;
    parser->slots[slot].size = size;
    if (parser->payload > parser->trace.peak_payload)
        parser->trace.peak_payload = parser->payload;
    return true;
}

static void take_slot_back(struct parser *parser, uint32_t slot)
{
    parser->payload -= parser->slots[slot].size;
    parser->slots[slot] = (struct slot){.next_unused = parser->unused};
    parser->unused = slot;
    parser->live_blocks--;
}

static bool give_slot(struct parser *parser, struct trace_op op, uint64_t id)
{
    if (parser->trace.slots >= TRACE_NULL && parser->unused == TRACE_NULL)
        return fail(parser, "more than 2^32 - 1 blocks are live");
    op.slot = take_slot(parser);
    if (!table_put(&parser->live, id, op.slot))
        return fail_memory(parser);
    append(parser, op);
    parser->live_blocks++;
    return resize(parser, op.slot, op.size);
}

// Its name stays, for NULL, in the malloc lab's dialects: a later "f id" is free(NULL) there.
static bool reallocate_to_nothing(struct parser *parser, uint32_t slot, uint64_t id)
{
    take_slot_back(parser, slot);
    if (!in_lab_dialect(parser))
        table_remove(&parser->live, id);
    else if (!table_put(&parser->live, id, TRACE_NULL))
        return fail_memory(parser);
    return true;
}

// Whether an id names a block or, with slot TRACE_NULL, is a name for NULL.
static bool find_slot(const struct parser *parser, uint64_t id, uint32_t *slot)
{
    uint64_t value = TRACE_NULL;
    bool found = table_get(&parser->live, id, &value);
    *slot = (uint32_t)value;
    return found;
}

static bool apply_malloc(struct parser *parser, struct trace_op op, uint64_t id)
{
    uint32_t slot;
    if (find_slot(parser, id, &slot) && slot != TRACE_NULL)
        return fail(parser, "%c %" PRIu64 ": id %" PRIu64 " is live already",
                    op.kind == TRACE_CALLOC ? 'c' : 'a', id, id);
    return give_slot(parser, op, id);
}

static bool apply_realloc(struct parser *parser, struct trace_op op, uint64_t id)
{
    find_slot(parser, id, &op.slot);
    if (op.slot == TRACE_NULL) {
        if (!in_lab_dialect(parser))
            return fail(parser, "r %" PRIu64 ": id %" PRIu64 " is not live", id, id);
        op.kind = TRACE_MALLOC; // realloc(NULL, size)
        return give_slot(parser, op, id);
    }
    append(parser, op);
    return op.size == 0 ? reallocate_to_nothing(parser, op.slot, id)
                        : resize(parser, op.slot, op.size);
}

static bool apply_free(struct parser *parser, struct trace_op op, uint64_t id)
{
    if (!find_slot(parser, id, &op.slot))
        return fail(parser, "f %" PRIu64 ": id %" PRIu64 " is not live", id, id);
    append(parser, op);
    if (op.slot != TRACE_NULL)
        take_slot_back(parser, op.slot);
    table_remove(&parser->live, id);
    return true;
}

// --- lines ----------------------------------------------------------------------------------------

// One letter, what it means and what it takes.
struct letter {
    char letter;
    enum trace_kind kind;
    bool has_size;
    bool (*apply)(struct parser *parser, struct trace_op op, uint64_t id);
};

static const struct letter letters[] = {
    {'a', TRACE_MALLOC, true, apply_malloc},
    {'c', TRACE_CALLOC, true, apply_malloc},
    {'r', TRACE_REALLOC, true, apply_realloc},
    {'f', TRACE_FREE, false, apply_free},
};

static const struct letter *find_letter(struct word word)
{
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (word.length == 1 && word.start[0] == letters[i].letter)
            return &letters[i];
    return NULL;
}

// Threads are numbered anew, in the order of their first operation.
static bool parse_thread(struct parser *parser, struct word word, uint16_t *thread)
{
    uint64_t number = 0;
    if (word.start != NULL && !parse_number(parser, word, &thread_rule, &number))
        return false;
    if (parser->threads[number] == 0)
        parser->threads[number] = (uint32_t)++parser->trace.threads;
    *thread = (uint16_t)(parser->threads[number] - 1);
    return true;
}

static bool check_field_count(struct parser *parser, const struct letter *letter,
                              const struct word *words, size_t count)
{
    size_t needed = letter->has_size ? 3 : 2;
    if (count < 2)
        return fail(parser, "%c: the id is missing", letter->letter);
    if (count < needed)
        return fail(parser, "%c %s: the size is missing", letter->letter, show(words[1]).text);
    size_t most = in_lab_dialect(parser) ? needed : needed + 1;
    if (count > most)
        return fail(parser, "'%s': nothing may follow here", show(words[most]).text);
    return true;
}

static bool parse_operation(struct parser *parser, const struct word *words, size_t count)
{
    const struct letter *letter = find_letter(words[0]);
    if (letter == NULL)
        return fail(parser, "'%s': unknown operation: a, c, r and f exist", show(words[0]).text);
    if (!check_field_count(parser, letter, words, count))
        return false;
    struct trace_op op = {.slot = TRACE_NULL, .kind = (uint8_t)letter->kind};
    size_t needed = letter->has_size ? 3 : 2;
    struct word thread = count > needed ? words[needed] : (struct word){NULL, 0};
    bool null = letter->kind == TRACE_FREE && is(words[1], "-1");
    uint64_t id = 0;
    uint64_t size = 0;
    if ((!null && !parse_number(parser, words[1], &id_rule, &id)) ||
        (letter->has_size && !parse_number(parser, words[2], &size_rule, &size)) ||
        !parse_thread(parser, thread, &op.thread))
        return false;
    op.size = (size_t)size;
    if (!null)
        return letter->apply(parser, op, id);
    append(parser, op);
    return true;
}

// A line that is one number belongs to the malloc lab's header, before the first operation.
static bool parse_header_line(struct parser *parser, struct word word)
{
    if (parser->trace.count != 0)
        return fail(parser, "'%s': a number among the operations", show(word).text);
    if (parser->header_lines == HEADER_LINES)
        return fail(parser, "'%s': a header has 4 or 2 lines", show(word).text);
    parser->header_places[parser->header_lines] = parser->line;
    return parse_number(parser, word, &header_rule, &parser->header[parser->header_lines++]);
}

static bool parse_line(struct parser *parser, const char *start, const char *end)
{
    struct word words[WORDS_MAX];
    size_t count = split(start, end, words);
    if (count == 0)
        return true;
    if (count == 1 && '0' <= words[0].start[0] && words[0].start[0] <= '9')
        return parse_header_line(parser, words[0]);
    return parse_operation(parser, words, count);
}

static bool parse_lines(struct parser *parser, const char *text, size_t length)
{
    const char *end = text + length;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline == NULL ? end : newline;
        parser->line++;
        if (!parse_line(parser, text, line_end))
            return false;
        text = newline == NULL ? end : newline + 1;
    }
    return true;
}

// --- the malloc lab's header ----------------------------------------------------------------------

// Headers in use are off by one at times: the last line counted, or not.
static bool agrees(uint64_t said, size_t counted)
{
    return said + 1 == counted || said == counted || said == counted + 1;
}

static bool fail_count(struct parser *parser, size_t place)
{
    parser->line = parser->header_places[place];
    return fail(parser, "the header says %" PRIu64 " operations, there are %zu",
                parser->header[place], parser->trace.count);
}

// Both orders of four lines have the number of ids in the second and of operations in the third.
// They differ in the first, a heap's size in bytes or a weight, and no heap has 3 bytes.
static bool check_header(struct parser *parser)
{
    const uint64_t *header = parser->header;
    size_t count = parser->trace.count;
    switch (parser->header_lines) {
    case 0:
        parser->trace.dialect = "plain";
        return true;
    case HEADER_LINES:
        parser->trace.dialect =
            header[0] <= WEIGHT_MAX ? "malloc lab, weight first" : "malloc lab, heap size first";
        return agrees(header[2], count) || fail_count(parser, 2);
    case HEADER_LINES_SHORT:
        parser->trace.dialect = "malloc lab, two header lines";
        return agrees(header[0], count) || agrees(header[1], count) || fail_count(parser, 1);
    default:
        parser->line = parser->header_places[parser->header_lines - 1];
        return fail(parser, "a header has 4 or 2 lines, not %zu", parser->header_lines);
    }
}

// --- a whole trace --------------------------------------------------------------------------------

static size_t count_lines(const char *text, size_t length)
{
    size_t lines = 1;
    const char *end = text + length;
    while (text < end && (text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        lines++;
        text++;
    }
    return lines;
}

// Room for as many operations and blocks as there are lines.
static bool begin(struct parser *parser, size_t lines)
{
    if (lines > SIZE_MAX / sizeof *parser->trace.ops)
        return false;
    parser->trace.ops_bytes = lines * sizeof *parser->trace.ops;
    parser->trace.ops = table_map(parser->trace.ops_bytes);
    parser->slots_bytes = lines * sizeof *parser->slots;
    parser->slots = table_map(parser->slots_bytes);
    parser->threads = table_map(THREADS_MAX * sizeof *parser->threads);
    return parser->trace.ops != NULL && parser->slots != NULL && parser->threads != NULL;
}

static void end(struct parser *parser)
{
    table_release(&parser->live);
    table_unmap(parser->slots, parser->slots_bytes);
    table_unmap(parser->threads, THREADS_MAX * sizeof *parser->threads);
}

// A zero byte shows a file that is no text before its "lines" are looked at.
static bool check_text(struct parser *parser, const char *text, size_t length)
{
    const char *zero = length == 0 ? NULL : memchr(text, '\0', length);
    if (zero == NULL)
        return true;
    parser->line = count_lines(text, (size_t)(zero - text));
    return fail(parser, "a NUL byte: this is no text");
}

static bool check_not_empty(struct parser *parser)
{
    if (parser->trace.count != 0)
        return true;
    parser->line = 0;
    return fail(parser, "no operations");
}

bool trace_parse(const char *text, size_t length, struct trace *trace, struct trace_error *error)
{
    struct parser parser = {.error = error, .unused = TRACE_NULL};
    if (!check_text(&parser, text, length))
        return false;
    bool parsed = begin(&parser, count_lines(text, length)) ? parse_lines(&parser, text, length)
                                                            : fail_memory(&parser);
    parsed = parsed && check_not_empty(&parser) && check_header(&parser);
    end(&parser);
    if (!parsed) {
        trace_release(&parser.trace);
        return false;
    }
    parser.trace.live_at_end = parser.live_blocks;
    *trace = parser.trace;
    return true;
}

// --- files ----------------------------------------------------------------------------------------

struct buffer {
    char *bytes;
    size_t length;
    size_t capacity;
};

static bool buffer_grow(struct buffer *buffer)
{
    size_t capacity = buffer->capacity * 2;
    char *larger = table_map(capacity);
    if (larger == NULL)
        return false;
    memcpy(larger, buffer->bytes, buffer->length);
    table_unmap(buffer->bytes, buffer->capacity);
    buffer->bytes = larger;
    buffer->capacity = capacity;
    return true;
}

// Reads to the end; false with errno.
static bool read_all(int file, struct buffer *buffer)
{
    for (;;) {
        if (buffer->length == buffer->capacity && !buffer_grow(buffer))
            return false;
        ssize_t got = read(file, buffer->bytes + buffer->length, buffer->capacity - buffer->length);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        buffer->length += got < 0 ? 0 : (size_t)got;
    }
}

static bool read_file(int file, struct buffer *buffer)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return false;
    bool regular = S_ISREG(status.st_mode) && status.st_size > 0;
    buffer->capacity = (regular ? (size_t)status.st_size : 65535) + 1; // one more: to see the end
    buffer->bytes = table_map(buffer->capacity);
    return buffer->bytes != NULL && read_all(file, buffer);
}

bool trace_read(const char *path, struct trace *trace, struct trace_error *error)
{
    struct buffer buffer = {.bytes = NULL};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool done = file >= 0 && read_file(file, &buffer);
    if (!done) {
        error->line = 0;
        snprintf(error->reason, sizeof error->reason, "%s", strerror(errno));
    }
    if (file >= 0)
        close(file);
    done = done && trace_parse(buffer.bytes, buffer.length, trace, error);
    table_unmap(buffer.bytes, buffer.capacity);
    return done;
}
