/*
 * driver.c - main() of a fuzz target where libFuzzer is not: in `make check`, with any compiler.
 *
 * Runs every file of tests/fuzz/corpus/NAME (from the program's name, fuzz_NAME), then fuzz_rounds
 * mutations of them. The seed is fixed, so each run does the same. An input that stops the process,
 * or takes longer than RUN_SECONDS_MAX, is left in fuzz_NAME.crash; `fuzz_NAME FILE...` runs files
 * and nothing else. It speaks TAP.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEED 20240229u
#define RUN_SECONDS_MAX 20u
#define CHANGES_MAX 4u /* of one input */
#define FILES_MAX 256u
#define FILE_BYTES_MAX (1u << 20)
#define DICTIONARY "tests/fuzz/job.dict"

struct input {
	uint8_t *at; /* owned */
	size_t   count;
};

static struct {
	struct input   files[FILES_MAX];
	uint32_t       count;
	struct mutator mutator;
	char          *dictionary; /* owned; the mutator's words lie in it */
} corpus;

/* --- when it ends badly --- */

static const uint8_t *running; /* the input, for the handler below */
static size_t         running_count;
static char           crash_path[512];

/* The sanitizers end the process their own way unless told to abort. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}
const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

/* Only calls that a signal handler may make. */
static void keep_input(int sign)
{
	static const char words[] = "fuzz: this input stopped it: ";
	int               fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0) {
		if (write(fd, running, running_count) == (ssize_t)running_count &&
		    write(STDERR_FILENO, words, sizeof words - 1) > 0 &&
		    write(STDERR_FILENO, crash_path, strlen(crash_path)) > 0)
			(void)!write(STDERR_FILENO, "\n", 1);
		(void)close(fd);
	}
	(void)signal(sign, SIG_DFL);
	(void)raise(sign);
}

static void watch_over(const char *program)
{
	static const int signs[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM };

	(void)snprintf(crash_path, sizeof crash_path, "%s.crash", program);
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
		struct sigaction now;

		/* A sanitizer that has taken a signal tells more; it aborts after that. */
		if (sigaction(signs[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			(void)signal(signs[i], keep_input);
	}
}

/* In memory of exactly its size, so that a read past the end is seen. */
static void run(const uint8_t *at, size_t count)
{
	uint8_t *copy = malloc(count == 0 ? 1 : count);

	if (copy == NULL)
		abort();
	memcpy(copy, at, count);
	running = copy;
	running_count = count;
	(void)alarm(RUN_SECONDS_MAX);
	(void)LLVMFuzzerTestOneInput(copy, count);
	(void)alarm(0);
	free(copy);
}

/* --- files --- */

/* False: it cannot be read, and that was said. With a NUL behind it. */
static bool read_file(const char *path, struct input *out)
{
	FILE *f = fopen(path, "rb");

	*out = (struct input){ malloc(FILE_BYTES_MAX + 1), 0 };
	if (f == NULL || out->at == NULL) {
		printf("Bail out! cannot read %s\n", path);
		free(out->at);
		if (f != NULL)
			(void)fclose(f);
		return false;
	}
	out->count = fread(out->at, 1, FILE_BYTES_MAX, f);
	out->at[out->count] = '\0';
	(void)fclose(f);
	return true;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool read_corpus(const char *folder)
{
	struct dirent **entries;
	int             count = scandir(folder, &entries, is_visible, alphasort);
	bool            is_good = count > 0 && count <= (int)FILES_MAX;
	char            path[2048];

	if (!is_good)
		printf("Bail out! %s holds no corpus of 1 to %u files\n", folder, FILES_MAX);
	for (int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		is_good = is_good && read_file(path, &corpus.files[corpus.count]);
		if (is_good)
			corpus.count++;
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return is_good;
}

/* The word of a line `"word"` or `name="word"`, cut out in place; NULL: a comment, or empty. The
 * escapes of the format are \" and \\. */
static const char *word_of(char *line)
{
	char *from = strchr(line, '"');
	char *to = from;

	if (line[0] == '#' || from == NULL)
		return NULL;
	for (const char *c = from + 1; *c != '\0' && *c != '"'; c++) {
		if (*c == '\\' && c[1] != '\0')
			c++;
		*to++ = *c;
	}
	*to = '\0';
	return from;
}

static bool read_dictionary(const char *path)
{
	struct input    file;
	struct mutator *m = &corpus.mutator;
	char           *rest = NULL;

	if (!read_file(path, &file))
		return false;
	corpus.dictionary = (char *)file.at;
	for (char *line = strtok_r(corpus.dictionary, "\n", &rest);
	     line != NULL && m->word_count < MUTATE_WORDS_MAX; line = strtok_r(NULL, "\n", &rest)) {
		const char *word = word_of(line);

		if (word != NULL)
			m->words[m->word_count++] = word;
	}
	return true;
}

/* --- mutations --- */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	return mutate_bytes(&corpus.mutator, data, size, max_size);
}

static size_t change(uint8_t *at, size_t count, const struct input *other)
{
	struct mutator *m = &corpus.mutator;
	unsigned        seed = mutate_below(m, UINT32_MAX);
	uint8_t         old[FUZZ_BYTES_MAX];
	uint8_t        *copy = at;

	if (mutate_below(m, 8) != 0) {
		if (LLVMFuzzerCustomMutator != NULL)
			return LLVMFuzzerCustomMutator(copy, count, FUZZ_BYTES_MAX, seed);
		return mutate_bytes(m, copy, count, FUZZ_BYTES_MAX);
	}
	if (LLVMFuzzerCustomCrossOver == NULL)
		return mutate_splice(m, at, count, FUZZ_BYTES_MAX, other->at, other->count);
	memcpy(old, at, count);
	return LLVMFuzzerCustomCrossOver(old, count, other->at, other->count, at, FUZZ_BYTES_MAX,
	                                 seed);
}

static const struct input *any_file(void)
{
	return &corpus.files[mutate_below(&corpus.mutator, corpus.count)];
}

static void run_mutation(void)
{
	const struct input *from = any_file();
	uint8_t             at[FUZZ_BYTES_MAX];
	size_t              count = from->count < sizeof at ? from->count : sizeof at;
	uint32_t            changes = 1 + mutate_below(&corpus.mutator, CHANGES_MAX);

	memcpy(at, from->at, count);
	while (changes-- > 0)
		count = change(at, count, any_file());
	run(at, count);
}

/* --- */

static int run_files(int count, char **paths)
{
	struct input file;

	for (int i = 0; i < count; i++) {
		if (!read_file(paths[i], &file))
			return 1;
		run(file.at, file.count);
		free(file.at);
		printf("%s: nothing was wrong\n", paths[i]);
	}
	return 0;
}

static bool open_corpus(const char *name)
{
	const char *top = getenv("srcdir");
	char        path[1024];

	if (top == NULL)
		top = ".";
	(void)snprintf(path, sizeof path, "%s/%s", top, DICTIONARY);
	if (!read_dictionary(path))
		return false;
	(void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top, name);
	return read_corpus(path);
}

static void close_corpus(void)
{
	for (uint32_t i = 0; i < corpus.count; i++)
		free(corpus.files[i].at);
	free(corpus.dictionary);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *program = slash == NULL ? argv[0] : slash + 1;
	const char *name = strncmp(program, "fuzz_", 5) == 0 ? program + 5 : program;

	watch_over(argv[0]);
	if (argc > 1)
		return run_files(argc - 1, argv + 1);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	puts("1..2");
	corpus.mutator.state = SEED;
	if (!open_corpus(name)) {
		close_corpus();
		return 1;
	}
	for (uint32_t i = 0; i < corpus.count; i++)
		run(corpus.files[i].at, corpus.files[i].count);
	printf("ok 1 - %s: %u files of the corpus\n", name, corpus.count);
	for (uint32_t i = 0; i < fuzz_rounds; i++)
		run_mutation();
	printf("ok 2 - %s: %u mutations of them\n", name, fuzz_rounds);
	close_corpus();
	return 0;
}
