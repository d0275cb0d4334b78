#include "daemon/store/audit.h"
#include "daemon/store/last_commit.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A log of some commits, left behind by a process that was killed, in which one bit is flipped: one
 * in every frame, and all those of the header and of the last frames' headers. A start either finds all
 * of the commits or is refused with the reason: by the log itself, or, in its last commit, by the note
 * of what was acknowledged. GATHERD_TORTURE=1 takes a log of
 * 500 commits; otherwise it is short, and every few of the headers' bits must do.
 */
#define WAL_HEADER 32u
#define WAL_FRAME (4096u + 24u)

struct copy {
	char  *at;
	size_t bytes;
};

struct flips {
	struct ledger ledger;
	char          database_path[320];
	char          wal_path[320];
	struct copy   database;
	struct copy   wal;
	uint64_t      starts, refused;
};

static struct flips flips;

static struct copy load(const char *path)
{
	int         fd = open(path, O_RDONLY);
	struct stat st;
	struct copy copy;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	copy.bytes = (size_t)st.st_size;
	copy.at = malloc(copy.bytes);
	assert_non_null(copy.at);
	assert_int_equal(read(fd, copy.at, copy.bytes), st.st_size);
	(void)close(fd);
	return copy;
}

static void save(const char *path, const struct copy *copy)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, copy->at, copy->bytes), (ssize_t)copy->bytes);
	(void)close(fd);
}

enum gd_err __real_audit_wal(const char *path, uint64_t *frames, struct gd_error *why);
enum gd_err __wrap_audit_wal(const char *path, uint64_t *frames, struct gd_error *why);

enum gd_err __real_last_commit_compare(const struct last_commit *last,
                                       const struct last_commit *now, const char *database,
                                       struct gd_error *why);
enum gd_err __wrap_last_commit_compare(const struct last_commit *last,
                                       const struct last_commit *now, const char *database,
                                       struct gd_error *why);

/* GATHERD_SABOTAGE=audits-nothing: to see that these tests can fail. The linker puts these before
 * those of the store. */
static bool is_audited(void)
{
	const char *wish = getenv("GATHERD_SABOTAGE");

	return wish == NULL || strcmp(wish, "audits-nothing") != 0;
}

enum gd_err __wrap_audit_wal(const char *path, uint64_t *frames, struct gd_error *why)
{
	*frames = 0;
	return is_audited() ? __real_audit_wal(path, frames, why) : GD_OK;
}

/* The second line: of the last commit only this one knows. */
enum gd_err __wrap_last_commit_compare(const struct last_commit *last,
                                       const struct last_commit *now, const char *database,
                                       struct gd_error *why)
{
	return is_audited() ? __real_last_commit_compare(last, now, database, why) : GD_OK;
}

static bool is_thorough(void)
{
	return getenv("GATHERD_TORTURE") != NULL;
}

static int setup(void **state)
{
	struct flips       *f = &flips;
	struct audit_report report;

	*state = f;
	fault_vfs_install(); /* for its speed: no sync reaches the disk */
	fault_vfs_disarm();
	ledger_init(&f->ledger);
	(void)snprintf(f->database_path, sizeof f->database_path, "%.280s/gatherd.db",
	               f->ledger.dir);
	(void)snprintf(f->wal_path, sizeof f->wal_path, "%.280s/gatherd.db-wal", f->ledger.dir);
	ledger_crash_after(&f->ledger, is_thorough() ? 500 : 60);
	f->database = load(f->database_path);
	assert_int_equal(audit_read(f->wal_path, &report, NULL), GD_OK);
	/* What stands behind the last commit is nobody's. */
	assert_int_equal(truncate(f->wal_path, (off_t)report.good_bytes), 0);
	f->wal = load(f->wal_path);
	return 0;
}

static int teardown(void **state)
{
	struct flips *f = *state;

	print_message("# %llu starts, %llu refused\n", (unsigned long long)f->starts,
	              (unsigned long long)f->refused);
	free(f->database.at);
	free(f->wal.at);
	ledger_end(&f->ledger);
	return 0;
}

static void flip(const struct flips *f, size_t at, unsigned bit)
{
	char byte = (char)(f->wal.at[at] ^ (char)(1u << bit));
	int  fd = open(f->wal_path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	(void)close(fd);
}

static void unflip(const struct flips *f, size_t at)
{
	int fd = open(f->wal_path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, f->wal.at + at, 1, (off_t)at), 1);
	(void)close(fd);
}

/* A start that is refused has changed nothing. */
static void try_flip(struct flips *f, size_t at, unsigned bit)
{
	struct ledger  *l = &f->ledger;
	struct gd_error why = { 0 };
	enum gd_err     rc;
	uint64_t        count;

	flip(f, at, bit);
	f->starts++;
	rc = ledger_open(l, &why);
	if (rc != GD_OK) {
		f->refused++;
		assert_int_equal(rc, GD_STORE);
		if (strstr(why.text, "damaged at byte") == NULL &&
		    strstr(why.text, "were acknowledged") == NULL)
			fail_msg("byte %zu bit %u: refused with \"%s\"", at, bit, why.text);
		unflip(f, at);
		return;
	}
	count = ledger_count(l);
	ledger_close(l);
	save(f->database_path, &f->database);
	save(f->wal_path, &f->wal);
	if (count != l->acknowledged)
		fail_msg("byte %zu bit %u: %llu of %llu commits are there, and no word of it", at,
		         bit, (unsigned long long)count, (unsigned long long)l->acknowledged);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void given_a_flipped_bit_in_any_frame_when_started_then_the_loss_is_not_hidden(void **state)
{
	struct flips *f = *state;
	uint32_t      seed = 1;

	for (size_t at = WAL_HEADER; at + WAL_FRAME <= f->wal.bytes; at += WAL_FRAME) {
		size_t byte = next_random(&seed) % WAL_FRAME;

		try_flip(f, at + byte, next_random(&seed) % 8);
	}
	assert_int_equal(f->starts, f->refused);
}

static void given_any_bit_of_a_frame_header_when_flipped_then_the_loss_is_not_hidden(void **state)
{
	struct flips *f = *state;
	size_t        frames = (f->wal.bytes - WAL_HEADER) / WAL_FRAME;

	/* The last one, where nothing stands behind, and the one before the last commit may end. */
	for (size_t frame = frames - 1; frame + 8 >= frames; frame--)
		for (size_t bit = frame % 5; bit < 24u * 8; bit += is_thorough() ? 1 : 5)
			try_flip(f, WAL_HEADER + frame * WAL_FRAME + bit / 8, bit % 8);
}

static void given_any_bit_of_the_header_when_flipped_then_the_loss_is_not_hidden(void **state)
{
	struct flips *f = *state;

	for (size_t bit = 0; bit < WAL_HEADER * 8; bit += is_thorough() ? 1 : 3)
		try_flip(f, bit / 8, bit % 8);
}

/* The audit was content, and then SQLite reads something else. What the directory remembers of the
 * last commit would tell as well, unless a power cut has kept it from the disk. */
static bool is_refused_at_read(struct flips *f, uint64_t nth, const char *words)
{
	const struct fault_plan plan = {
		.op = FAULT_READ, .way = FAULT_FLIP, .nth = nth, .only = "-wal"
	};
	struct gd_error why = { 0 };
	uint64_t        count = f->ledger.acknowledged;
	bool            is_refused;

	f->starts++;
	fault_vfs_arm(&plan);
	is_refused = ledger_open(&f->ledger, &why) != GD_OK;
	if (is_refused && strstr(why.text, words) == NULL)
		fail_msg("read %llu: refused with \"%s\"", (unsigned long long)nth, why.text);
	if (!is_refused) {
		count = ledger_count(&f->ledger);
		ledger_close(&f->ledger);
	}
	assert_true(fault_vfs_has_struck());
	fault_vfs_disarm();
	save(f->database_path, &f->database);
	save(f->wal_path, &f->wal);
	if (count != f->ledger.acknowledged)
		fail_msg("read %llu: %llu of %llu commits are there, and no word of it",
		         (unsigned long long)nth, (unsigned long long)count,
		         (unsigned long long)f->ledger.acknowledged);
	f->refused += is_refused;
	return is_refused;
}

static void given_a_bit_that_flips_on_the_way_to_sqlite_then_the_loss_is_not_hidden(void **state)
{
	struct flips *f = *state;
	size_t        frames = (f->wal.bytes - WAL_HEADER) / WAL_FRAME;
	char          note[330];

	(void)snprintf(note, sizeof note, "%.280s/gatherd.last", f->ledger.dir);
	/* First comes the header, then each frame. */
	for (uint64_t nth = 1; nth <= frames + 1; nth++) {
		struct copy kept = load(note);

		assert_true(is_refused_at_read(f, nth, "were acknowledged"));
		assert_int_equal(unlink(note), 0);
		assert_true(is_refused_at_read(f, nth, "read in two ways"));
		save(note, &kept);
		free(kept.at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_a_flipped_bit_in_any_frame_when_started_then_the_loss_is_not_hidden),
		cmocka_unit_test(
			given_any_bit_of_a_frame_header_when_flipped_then_the_loss_is_not_hidden),
		cmocka_unit_test(
			given_any_bit_of_the_header_when_flipped_then_the_loss_is_not_hidden),
		cmocka_unit_test(
			given_a_bit_that_flips_on_the_way_to_sqlite_then_the_loss_is_not_hidden),
	};

	return cmocka_run_group_tests_name("wal_flips", tests, setup, teardown);
}
