// The runner: runs every row of the matrix as the stage it is told, and sees that what must fail
// fails. Usage: stage3 3 [matrix]. With --mine=DIR before that, it judges the allocator that a reader
// wrote there: it shows few failures, and praises what must fail and passes.

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
    SHOWN_MAX = 5, // rows of the reader's own that are shown
};

static const char test_timeout[] = "30"; // seconds, unless the environment says otherwise
static const char mine_timeout[] = "5"; // an allocator in the making may well loop

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
    bool is_limit; // the next stage leaves it behind
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
    rows[row_count++] = (struct row){.test = test, .times = times, .tag = current_tag};
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
static const char *mine; // the directory of the reader's own allocator, or NULL

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
    if (problem != NULL) {
        fprintf(stderr, "%s:%d: %s: %s\n", matrix_path, number, name, problem);
        return false;
    }
    row->verdict = verdict_named(words[stage - 1]);
    row->is_limit = row->verdict == MUST_FAIL ||
                    (stage < STAGES && verdict_named(words[stage]) == NOT_APPLICABLE);
    return true;
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

// The first result of a row that is no pass, or else the last, or else NULL: it did not run.
static TestResult *result_of(const struct row *row, TestResult **results, int count)
{
    TestResult *result = NULL;
    for (int i = 0; i < count; i++)
        if (strcmp(tr_tcname(results[i]), row->test->name) == 0) {
            result = results[i];
            if (tr_rtype(result) != CK_PASS)
                break;
        }
    return result;
}

// What a run showed of a row: yes, no (it failed, as it must), - (n/a), ! (not what the matrix
// expects), ? (not run).
static const char *word_for(const struct row *row, TestResult *result)
{
    if (row->verdict == NOT_APPLICABLE)
        return "-";
    if (result == NULL)
        return "?";
    if (tr_rtype(result) != CK_PASS)
        return "!";
    return row->verdict == PASS ? "yes" : "no";
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
                word_for(&rows[i], result_of(&rows[i], results, srunner_ntests_run(runner))));
    free(results);
    fclose(file);
}

// The last line of a run that failed: where to begin.
static void write_first_failure(SRunner *runner, int stage)
{
    TestResult **failures = srunner_failures(runner);
    const char *name = tr_tcname(failures[0]);
    fflush(stdout);
    fprintf(stderr, "first failing row: %s; run it alone: CK_RUN_CASE=%s make test-stage%d\n", name,
            name, stage);
    free(failures);
}

// --- the reader's own ----------------------------------------------------------------------------

// The rows of a run that are not as the stage's, in the order of the matrix.
struct judgement {
    TestResult *failures[ROWS_MAX];
    const char *better[ROWS_MAX]; // limits of the stage that this allocator has not
    int failure_count;
    int better_count;
    int ran;
};

static void judge(struct judgement *judgement, TestResult **results, int count)
{
    for (int i = 0; i < row_count; i++) {
        TestResult *result = result_of(&rows[i], results, count);
        judgement->ran += result != NULL;
        if (result == NULL || tr_rtype(result) == CK_PASS)
            continue;
        if (rows[i].is_limit && tr_rtype(result) == CK_FAILURE)
            judgement->better[judgement->better_count++] = rows[i].test->name;
        else
            judgement->failures[judgement->failure_count++] = result;
    }
}

static void write_mine_failures(const struct judgement *judgement, int stage)
{
    int count = judgement->failure_count;
    for (int i = 0; i < count && i < SHOWN_MAX; i++) {
        TestResult *failure = judgement->failures[i];
        printf("FAIL  %s: %s (%s:%d)\n", tr_tcname(failure), tr_msg(failure), tr_lfile(failure),
               tr_lno(failure));
    }
    if (count > SHOWN_MAX)
        printf("and %d more: %s%s\n", count - SHOWN_MAX, tr_tcname(judgement->failures[SHOWN_MAX]),
               count > SHOWN_MAX + 1 ? ", ..." : "");
    if (count != 0)
        printf("the first alone: CK_RUN_CASE=%s make test-mine MINE=%s STAGE=%d SEED=%" PRIu64 "\n"
               "the heap, drawn: make view-mine MINE=%s SCRIPT=first-blocks\n",
               tr_tcname(judgement->failures[0]), mine, stage, run_seed(), mine);
}

// Returns how many rows failed.
static int write_judgement(SRunner *runner, int stage)
{
    struct judgement judgement = {.ran = 0};
    TestResult **results = srunner_results(runner);
    judge(&judgement, results, srunner_ntests_run(runner));
    write_mine_failures(&judgement, stage);
    int better = judgement.better_count;
    if (better != 0)
        printf("better than stage %d in %d of the rows: ", stage, better);
    for (int i = 0; i < better && i < SHOWN_MAX; i++)
        printf("%s%s", i == 0 ? "" : ", ", judgement.better[i]);
    if (better != 0)
        puts(better > SHOWN_MAX ? ", ..." : "");
    printf("%d rows passed, %d failed\n", judgement.ran - judgement.failure_count,
           judgement.failure_count);
    free(results);
    return judgement.failure_count;
}

// --- one run -------------------------------------------------------------------------------------

static int run(int stage, const char *program)
{
    SRunner *runner = make_runner(stage);
    srunner_run_all(runner, mine != NULL && getenv("CK_VERBOSITY") == NULL ? CK_SILENT : CK_ENV);
    int ran = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    write_results(runner, program);
    if (mine != NULL)
        failed = write_judgement(runner, stage);
    else if (failed != 0)
        write_first_failure(runner, stage);
    srunner_free(runner);
    if (ran == 0)
        fprintf(stderr, "no test ran: stage %d has no row that CK_RUN_CASE and the tags choose\n",
                stage);
    return ran > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const char *program = argv[0];
    if (argc > 1 && strncmp(argv[1], "--mine=", 7) == 0) {
        mine = argv[1] + 7;
        argc--;
        argv++;
    }
    int stage = argc > 1 && strlen(argv[1]) == 1 ? argv[1][0] - '0' : 0;
    if (argc > 3 || stage < 1 || stage > STAGES) {
        fprintf(stderr, "usage: %s [--mine=DIR] STAGE [MATRIX]   (STAGE is 1 to %d)\n", program,
                STAGES);
        return EXIT_USAGE;
    }
    if (argc == 3)
        matrix_path = argv[2];
    setenv("CK_DEFAULT_TIMEOUT", mine != NULL ? mine_timeout : test_timeout, false);
    add_all_rows();
    if (!read_matrix(stage))
        return EXIT_FAILURE;
    if (mine != NULL)
        printf("%s as stage %d:\n", mine, stage);
    else
        printf("to repeat the random sequences: make test-stage%d SEED=%" PRIu64 "\n", stage,
               run_seed());
    fflush(stdout); // before check forks
    return run(stage, program);
}
