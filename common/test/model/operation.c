// Lists of operations, and heap scripts from and to them.

#define _DEFAULT_SOURCE // for MAP_ANONYMOUS under -std=c11

#include "operation.h"

#include "../../view/script.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// --- lists ---------------------------------------------------------------------------------------

size_t operation_size(const struct operation *operation)
{
    if (operation->kind == OP_CALLOC)
        return operation->numbers[0] * operation->numbers[1];
    return operation->numbers[operation->kind == OP_ALIGNED_ALLOC];
}

static _Noreturn void give_up(const char *what)
{
    perror(what);
    exit(2);
}

struct operation_list list_create(size_t capacity)
{
    struct operation_list list = {.capacity = capacity + 1};
    list.operations = mmap(NULL, list.capacity * sizeof *list.operations, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (list.operations == MAP_FAILED)
        give_up("mmap");
    return list;
}

void list_append(struct operation_list *list, struct operation operation)
{
    if (list->count == list->capacity) {
        struct operation_list larger = list_create(2 * list->capacity);
        memcpy(larger.operations, list->operations, list->count * sizeof operation);
        larger.count = list->count;
        list_destroy(list);
        *list = larger;
    }
    list->operations[list->count++] = operation;
}

void list_destroy(struct operation_list *list)
{
    munmap(list->operations, list->capacity * sizeof *list->operations);
    *list = (struct operation_list){.count = 0};
}

size_t list_heap_0_size(const struct operation_list *list)
{
    const struct operation *first = list->operations;
    if (list->count == 0 || first->kind != OP_HEAP_INIT || first->heap != 0)
        return HEAP_0_SIZE;
    size_t size = first->numbers[0] < HEAP_0_SIZE ? HEAP_0_SIZE : first->numbers[0];
    return size > HEAP_0_SIZE_MAX ? HEAP_0_SIZE_MAX : size;
}

size_t list_names(const struct operation_list *list)
{
    size_t names = 1;
    for (size_t i = 0; i < list->count; i++) {
        const struct operation *operation = &list->operations[i];
        size_t last =
            operation->subject > operation->target ? operation->subject : operation->target;
        names = last >= names ? last + 1 : names;
    }
    return names;
}

// --- reading -------------------------------------------------------------------------------------

struct reader {
    const struct script *script;
    struct operation_list *list;
    uint8_t heap; // in which following statements allocate
};

static uint8_t kind_of_heap(const char *how)
{
    static const char *const words[] = {"default", "create", "init", "inside"};
    uint8_t kind = 0;
    while (kind < 4 && strcmp(how, words[kind]) != 0)
        kind++;
    return (uint8_t)(kind < 4 ? OP_HEAP_DEFAULT + kind : UINT8_MAX); // or no operation at all
}

static uint32_t slot_of_name(const struct script *script, const char *name)
{
    size_t i = 0;
    while (i < script->name_count && (script->names[i].length != strlen(name) ||
                                      memcmp(script->names[i].start, name, strlen(name)) != 0))
        i++;
    return (uint32_t)i;
}

// The operation of a say: heap 1 = inside a, extend 1 4096, destroy 1. Any other kind: none.
static uint8_t kind_of_say(char words[5][32], int count)
{
    if (strcmp(words[0], "extend") == 0 && count == 3)
        return OP_HEAP_EXTEND;
    if (strcmp(words[0], "destroy") == 0 && count == 2)
        return OP_HEAP_DESTROY;
    bool makes = strcmp(words[0], "heap") == 0 && count >= 4 && strcmp(words[2], "=") == 0;
    return makes ? kind_of_heap(words[3]) : UINT8_MAX;
}

// A say that is about heaps; any other is only text.
static void read_directive(struct reader *reader, const struct script_statement *statement)
{
    char text[160];
    char words[5][32] = {""};
    snprintf(text, sizeof text, "%.*s", (int)statement->text.length, statement->text.start);
    int count =
        sscanf(text, "%31s %31s %31s %31s %31s", words[0], words[1], words[2], words[3], words[4]);
    bool is_number = words[1][0] >= '0' && words[1][0] < '0' + HEAP_COUNT && words[1][1] == '\0';
    if (!is_number)
        return;
    uint8_t heap = (uint8_t)(words[1][0] - '0');
    const char *what = words[strcmp(words[0], "extend") == 0 ? 2 : 4];
    struct operation operation = {.kind = kind_of_say(words, count), .heap = heap};
    operation.numbers[0] = (size_t)strtoull(what, NULL, 10);
    operation.subject = slot_of_name(reader->script, what);
    if (operation.kind != UINT8_MAX)
        list_append(reader->list, operation);
    else if (strcmp(words[0], "heap") == 0 && count == 2)
        reader->heap = heap;
}

static void read_statement(struct reader *reader, const struct script_statement *statement)
{
    static const uint8_t kinds[] = {
        [SCRIPT_MALLOC] = OP_MALLOC,   [SCRIPT_CALLOC] = OP_CALLOC,
        [SCRIPT_REALLOC] = OP_REALLOC, [SCRIPT_ALIGNED_ALLOC] = OP_ALIGNED_ALLOC,
        [SCRIPT_FREE] = OP_FREE,       [SCRIPT_WRITE] = OP_WRITE,
    };
    if (statement->operation == SCRIPT_SAY) {
        read_directive(reader, statement);
        return;
    }
    struct operation operation = {
        .kind = kinds[statement->operation],
        .heap = reader->heap,
        .target = (uint32_t)statement->target,
        .subject = (uint32_t)statement->subject,
        .numbers = {statement->numbers[0], statement->numbers[1]},
    };
    list_append(reader->list, operation);
}

static char *read_text(const char *file, size_t *length)
{
    FILE *from = fopen(file, "rb");
    if (from == NULL)
        give_up(file);
    size_t capacity = 4096;
    char *text = malloc(capacity);
    *length = 0;
    while (text != NULL) {
        *length += fread(text + *length, 1, capacity - *length, from);
        if (*length < capacity)
            break;
        capacity *= 2;
        text = realloc(text, capacity);
    }
    if (text == NULL || ferror(from))
        give_up(file);
    fclose(from);
    return text;
}

bool list_read_script(struct operation_list *list, const char *file)
{
    size_t length;
    char *text = read_text(file, &length);
    struct script script;
    struct script_error error;
    bool good = script_parse(text, length, &script, &error);
    if (good) {
        struct reader reader = {.script = &script, .list = list};
        for (size_t i = 0; i < script.count; i++)
            read_statement(&reader, &script.statements[i]);
        script_free(&script);
    } else {
        script_print_error(stderr, file, &error);
    }
    free(text);
    return good;
}

// --- writing -------------------------------------------------------------------------------------

enum { NAME_MAX_LENGTH = 32 };

// Which names have appeared so far: the first is a.
struct writer {
    FILE *to;
    uint32_t *slots;
    size_t count;
};

// a to z, then a1 to z1, and so on, in the order of their appearance.
static const char *name_of(struct writer *writer, uint32_t slot, char name[NAME_MAX_LENGTH])
{
    size_t i = 0;
    while (i < writer->count && writer->slots[i] != slot)
        i++;
    if (i == writer->count)
        writer->slots[writer->count++] = slot;
    int length = snprintf(name, NAME_MAX_LENGTH, "%c", (char)('a' + i % 26));
    if (i >= 26)
        snprintf(name + length, NAME_MAX_LENGTH - (size_t)length, "%zu", i / 26);
    return name;
}

static void write_heap_operation(struct writer *writer, const struct operation *operation)
{
    static const char *const words[] = {"default", "create", "init"};
    char name[NAME_MAX_LENGTH];
    FILE *to = writer->to;
    if (operation->kind == OP_HEAP_DESTROY)
        fprintf(to, "say destroy %u\n", operation->heap);
    else if (operation->kind == OP_HEAP_EXTEND)
        fprintf(to, "say extend %u %zu\n", operation->heap, operation->numbers[0]);
    else if (operation->kind == OP_HEAP_INSIDE)
        fprintf(to, "say heap %u = inside %s\n", operation->heap,
                name_of(writer, operation->subject, name));
    else if (operation->kind == OP_HEAP_DEFAULT)
        fprintf(to, "say heap %u = default\n", operation->heap);
    else
        fprintf(to, "say heap %u = %s %zu\n", operation->heap,
                words[operation->kind - OP_HEAP_DEFAULT], operation->numbers[0]);
}

static void write_block_operation(struct writer *writer, const struct operation *operation)
{
    static const char *const words[] = {"malloc", "calloc", "aligned_alloc", "realloc"};
    char target[NAME_MAX_LENGTH];
    char subject[NAME_MAX_LENGTH];
    const size_t *numbers = operation->numbers;
    FILE *to = writer->to;
    if (operation->kind >= OP_REALLOC)
        name_of(writer, operation->subject, subject);
    if (operation->effect == OP_DONE_WITH_NULL) // what is refused leaves NULL in the name
        fprintf(to, "%s = malloc %zu\n", subject, SIZE_MAX);
    if (operation->kind == OP_FREE)
        fprintf(to, "free %s\n", subject);
    else if (operation->kind == OP_WRITE)
        fprintf(to, "write %s %zu\n", subject, numbers[0]);
    else
        fprintf(to, "%s = %s", name_of(writer, operation->target, target), words[operation->kind]);
    if (operation->kind == OP_REALLOC)
        fprintf(to, " %s", subject);
    if (operation->kind == OP_MALLOC || operation->kind == OP_REALLOC)
        fprintf(to, " %zu\n", numbers[0]);
    else if (operation->kind < OP_REALLOC)
        fprintf(to, " %zu %zu\n", numbers[0], numbers[1]);
}

void list_write_script(const struct operation_list *list, FILE *to)
{
    struct writer writer = {.to = to, .slots = calloc(2 * list->count + 1, sizeof(uint32_t))};
    uint8_t heap = 0;
    if (writer.slots == NULL)
        give_up("calloc");
    for (size_t i = 0; i < list->count; i++) {
        const struct operation *operation = &list->operations[i];
        if (operation->effect == OP_LEFT_OUT)
            continue;
        if (operation->kind >= OP_HEAP_DEFAULT) {
            write_heap_operation(&writer, operation);
            continue;
        }
        if (operation->heap != heap && operation->kind != OP_WRITE) {
            heap = operation->heap;
            fprintf(to, "say heap %u\n", heap);
        }
        write_block_operation(&writer, operation);
    }
    free(writer.slots);
}
