// The runner: runs every row of the matrix as the stage it is told, and sees that what must fail
// fails. Usage: stage3 3 [matrix]

#include "suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STAGES = 5,
    ROWS_MAX = 256,
    NAME_MAX_LENGTH = 63,
    EXIT_USAGE = 2,
    MUST_FAIL_TIMEOUT = 120, // seconds for a must-fail row, all its tests together
};

static const char test_timeout[] = "30"; // seconds, unless the environment says otherwise

// --- areas ---------------------------------------------------------------------------------------

static const struct area {
    const char *tag;
    void (*add_rows)(void);
} areas[] = {
    {"contract", add_contract_rows},     {"heaps", add_heaps_rows},
    {"inside", add_inside_rows},         {"reuse", add_reuse_rows},
    {"growth", add_growth_rows},         {"bestfit", add_bestfit_rows},
    {"coalesce", add_coalesce_rows},     {"misuse", add_misuse_rows},
    {"invariants", add_invariants_rows}, {"threads", add_threads_rows},
    {"cache", add_cache_rows},           {"random", add_random_rows},
};

// --- rows ----------------------------------------------------------------------------------------

enum verdict { NO_VERDICT, PASS, MUST_FAIL, NOT_APPLICABLE };

struct row {
    const TTest *test;
    int times;
    const char *tag;
    enum verdict verdict; // what the matrix expects of this stage
};

static struct row rows[ROWS_MAX];
static int row_count;
static const char *current_tag;

void add_loop_row(const TTest *test, int times)
{
    if (row_count == ROWS_MAX) {
        fprintf(stderr, "more than %d rows: raise ROWS_MAX in common/test/main.c\n", ROWS_MAX);
        exit(EXIT_FAILURE);
    }
    rows[row_count++] = (struct row){test, times, current_tag, NO_VERDICT};
}

void add_row(const TTest *test)
{
    add_loop_row(test, 1);
}

static void add_all_rows(void)
{
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++) {
        current_tag = areas[i].tag;
        areas[i].add_rows();
    }
}

static struct row *find_row(const char *name)
{
    for (int i = 0; i < row_count; i++)
        if (strcmp(rows[i].test->name, name) == 0)
            return &rows[i];
    return NULL;
}

// --- the matrix ----------------------------------------------------------------------------------

static const char *matrix_path = "common/test/matrix";

static enum verdict verdict_named(const char *word)
{
    if (strcmp(word, "pass") == 0)
        return PASS;
    if (strcmp(word, "must-fail") == 0)
        return MUST_FAIL;
    return strcmp(word, "n/a") == 0 ? NOT_APPLICABLE : NO_VERDICT;
}

// Notes what one line expects of the stage; false, and a message, if it cannot be understood.
static bool read_line(const char *line, int number, int stage)
{
    char name[NAME_MAX_LENGTH + 1] = "";
    char words[STAGES][10];
    int description = 0;
    sscanf(line, "%63s %9s %9s %9s %9s %9s %n", name, words[0], words[1], words[2], words[3],
           words[4], &description);
    const char *problem = NULL;
    struct row *row = NULL;
    for (int i = 0; description != 0 && i < STAGES; i++)
        if (verdict_named(words[i]) == NO_VERDICT)
            problem = "a stage's column is none of pass, must-fail, n/a";
    if (description == 0 || line[description] == '\0')
        problem = "not a name, five columns and a description";
    else if (problem == NULL && (row = find_row(name)) == NULL)
        problem = "no test has this name";
    else if (problem == NULL && row->verdict != NO_VERDICT)
        problem = "a second row of this name";
    if (problem == NULL)
        row->verdict = verdict_named(words[stage - 1]);
    else
        fprintf(stderr, "%s:%d: %s: %s\n", matrix_path, number, name, problem);
    return problem == NULL;
}

static bool all_rows_have_verdicts(void)
{
    bool complete = true;
    for (int i = 0; i < row_count; i++)
        if (rows[i].verdict == NO_VERDICT) {
            fprintf(stderr, "%s: no row for the test %s\n", matrix_path, rows[i].test->name);
            complete = false;
        }
    return complete;
}

static bool read_matrix(int stage)
{
    FILE *file = fopen(matrix_path, "r");
    if (file == NULL) {
        perror(matrix_path);
        return false;
    }
    bool right = true;
    char line[256];
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '#' && line[0] != '\0')
            right = read_line(line, number, stage) && right;
    }
    fclose(file);
    return all_rows_have_verdicts() && right;
}

// --- running -------------------------------------------------------------------------------------

static TCase *case_of(const struct row *row)
{
    TCase *test_case = tcase_create(row->test->name);
    tcase_add_loop_test(test_case, row->test, 0, row->times);
    return test_case;
}

// A must-fail row passes when all its tests fail, each in a process of its own, out of sight.
// _i is the row's index.
START_TEST(fails)
{
    const struct row *row = &rows[_i];
    static const char *const logs[] = {"CK_LOG_FILE_NAME", "CK_TAP_LOG_FILE_NAME",
                                       "CK_XML_LOG_FILE_NAME", "CK_INCLUDE_TAGS",
                                       "CK_EXCLUDE_TAGS"};
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++)
        unsetenv(logs[i]); // they are for the outer runner
    Suite *suite = suite_create("must fail");
    suite_add_tcase(suite, case_of(row));
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run(runner, "must fail", row->test->name, CK_SILENT);
    int passed = srunner_ntests_run(runner) - srunner_ntests_failed(runner);
    srunner_free(runner);
    ck_assert_msg(passed == 0, "%s passed, but must fail on this stage: see %s", row->test->name,
                  matrix_path);
}
END_TEST

static void add_case(Suite *suite, int index)
{
    const struct row *row = &rows[index];
    if (row->verdict == NOT_APPLICABLE)
        return;
    TCase *test_case = case_of(row);
    if (row->verdict == MUST_FAIL) {
        test_case = tcase_create(row->test->name);
        tcase_set_timeout(test_case, MUST_FAIL_TIMEOUT);
        tcase_add_loop_test(test_case, fails, index, index + 1);
    }
    tcase_set_tags(test_case, row->tag);
    suite_add_tcase(suite, test_case);
}

static SRunner *make_runner(int stage)
{
    static const char *const names[STAGES] = {"stage 1", "stage 2", "stage 3", "stage 4",
                                              "stage 5"};
    Suite *suite = suite_create(names[stage - 1]); // check keeps the pointer
    for (int i = 0; i < row_count; i++)
        add_case(suite, i);
    return srunner_create(suite);
}

// --- results -------------------------------------------------------------------------------------

// What a run showed of a row: yes, no (it failed, as it must), - (n/a), ! (not what the matrix
// expects), ? (not run).
static const char *result_of(const struct row *row, TestResult **results, int count)
{
    if (row->verdict == NOT_APPLICABLE)
        return "-";
    const char *result = "?";
    for (int i = 0; i < count; i++) {
        if (strcmp(tr_tcname(results[i]), row->test->name) != 0)
            continue;
        if (tr_rtype(results[i]) != CK_PASS)
            return "!";
        result = row->verdict == PASS ? "yes" : "no";
    }
    return result;
}

// For show-matrix: a line for every row, in a file beside the program.
static void write_results(SRunner *runner, const char *program)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.results", program);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return;
    }
    TestResult **results = srunner_results(runner);
    for (int i = 0; i < row_count; i++)
        fprintf(file, "%s %s\n", rows[i].test->name,
                result_of(&rows[i], results, srunner_ntests_run(runner)));
    free(results);
    fclose(file);
}

// The last line of a run that failed: where to begin.
static void write_first_failure(SRunner *runner, int stage, const char *program)
{
    bool own = strstr(program, "test-mine") != NULL;
    TestResult **failures = srunner_failures(runner);
    const char *name = tr_tcname(failures[0]);
    fflush(stdout);
    fprintf(stderr, "first failing row: %s; run it alone: CK_RUN_CASE=%s make %s%d\n", name, name,
            own ? "test-mine MINE=dir STAGE=" : "test-stage", stage);
    free(failures);
}

static int run(int stage, const char *program)
{
    SRunner *runner = make_runner(stage);
    srunner_run_all(runner, CK_ENV);
    int ran = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    write_results(runner, program);
    if (failed != 0)
        write_first_failure(runner, stage, program);
    srunner_free(runner);
    if (ran == 0)
        fprintf(stderr, "no test ran: stage %d has no row that CK_RUN_CASE and the tags choose\n",
                stage);
    return ran > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    int stage = argc > 1 && strlen(argv[1]) == 1 ? argv[1][0] - '0' : 0;
    if (argc > 3 || stage < 1 || stage > STAGES) {
        fprintf(stderr, "usage: %s STAGE [MATRIX]   (STAGE is 1 to %d)\n", argv[0], STAGES);
        return EXIT_USAGE;
    }
    if (argc == 3)
        matrix_path = argv[2];
    setenv("CK_DEFAULT_TIMEOUT", test_timeout, false);
    add_all_rows();
    if (!read_matrix(stage))
        return EXIT_FAILURE;
    printf("to repeat the random sequences: make test-stage%d SEED=%" PRIu64 "\n", stage,
           run_seed());
    fflush(stdout); // before check forks
    return run(stage, argv[0]);
}
