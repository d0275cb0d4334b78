/* daemon/net/auth, proto/token and the moments in them: who somebody is. */
#include "daemon/net/auth.h"
#include "proto/base/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW (INT64_C(1900000000) * GD_NSEC_PER_SEC) /* 2030-03-17T17:46:40Z */

struct fixture {
	char         file[64];
	struct buf   token; /* with a NUL behind it, not counted */
	struct buf   line;  /* the same */
	struct auth *auth;  /* NULL: not open */
};

static void write_file(struct fixture *f, const char *first, const char *second)
{
	FILE *file = fopen(f->file, "w");

	assert_non_null(file);
	assert_true(fprintf(file, "# tokens\n\n%s\n  # more\n%s\n", first, second) > 0);
	assert_int_equal(fclose(file), 0);
}

static void make_token_as(struct fixture *f, const struct token_entry *as);

static void make_token(struct fixture *f, const char *id, enum token_role role, gd_nsec expires)
{
	struct token_entry as = { .role = role, .expires = expires };

	assert_true(strlen(id) < sizeof as.id);
	strcpy(as.id, id);
	make_token_as(f, &as);
}

static void make_token_as(struct fixture *f, const struct token_entry *as)
{
	buf_clear(&f->token);
	buf_clear(&f->line);
	assert_int_equal(token_create(as, &f->token, &f->line, NULL), GD_OK);
	buf_add_byte(&f->token, '\0');
	buf_add_byte(&f->line, '\0');
	f->token.bytes--;
	f->line.bytes--;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	int             fd;

	if (f == NULL)
		return -1;
	strcpy(f->file, "/tmp/test_auth.XXXXXX");
	fd = mkstemp(f->file); /* mode 600 */
	if (fd < 0)
		return -1;
	close(fd);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->auth != NULL)
		auth_close(f->auth);
	buf_close(&f->token);
	buf_close(&f->line);
	unlink(f->file);
	free(f);
	return 0;
}

/* --- tokens --- */

static void given_a_new_token_when_read_back_then_its_line_fits(void **state)
{
	struct fixture    *f = *state;
	struct token_entry shown, kept;

	make_token(f, "ci_build-1.a", TOKEN_SUBMITTER, NOW);
	assert_int_equal(f->token.bytes, 4 + 12 + 1 + TOKEN_SECRET_CHARS);
	assert_int_equal(strncmp(f->token.at, "gat_ci_build-1.a_", 17), 0);

	assert_true(token_read(f->token.at, &shown));
	assert_int_equal(token_line_read(f->line.at, &kept, NULL), GD_OK);
	assert_string_equal(shown.id, "ci_build-1.a");
	assert_string_equal(kept.id, shown.id);
	assert_memory_equal(kept.digest, shown.digest, TOKEN_DIGEST_BYTES);
	assert_int_equal(kept.role, TOKEN_SUBMITTER);
	assert_true(kept.expires == NOW);
}

static void given_two_tokens_when_made_then_they_differ(void **state)
{
	struct fixture *f = *state;
	char            first[TOKEN_CHARS_MAX + 1];

	make_token(f, "a", TOKEN_VIEWER, GD_NSEC_NEVER);
	strcpy(first, f->token.at);
	make_token(f, "a", TOKEN_VIEWER, GD_NSEC_NEVER);
	assert_string_not_equal(first, f->token.at);
	assert_null(strstr(f->line.at, f->token.at + 6));
}

static void given_bad_ids_when_a_token_is_made_then_refused(void **state)
{
	static const char *const ids[] = { "", "a b", "a/b", "a\n", "\xc3\xa9" };
	struct fixture          *f = *state;

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct token_entry as = { .role = TOKEN_VIEWER, .expires = GD_NSEC_NEVER };

		strcpy(as.id, ids[i]);
		assert_int_equal(token_create(&as, &f->token, &f->line, NULL), GD_INVALID_PARAMS);
	}
	assert_false(token_id_is_good("123456789012345678901234567890123"));
}

static void given_what_is_no_token_when_read_then_false(void **state)
{
	static const char *const texts[] = {
		"",
		"gat_",
		"gat__AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"tok_a_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"gat_aXAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"gat_a_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"gat_a b_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"gat_123456789012345678901234567890123_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};
	struct token_entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_false(token_read(texts[i], &entry));
	assert_true(token_read("gat_a_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &entry));
}

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void given_bad_lines_when_read_then_words_without_the_digest(void **state)
{
	static const char *const lines[] = {
		"a",
		"a " HEX64,
		"a " HEX64 " viewer 2030-01-01T00:00:00Z more",
		"a/b " HEX64 " viewer",
		"a " HEX64 "0 viewer",
		"a x" HEX64 " viewer",
		"a " HEX64 " root",
		"a " HEX64 " viewer tomorrow",
		"a " HEX64 " viewer exec:",
		"a " HEX64 " viewer exec:a/b",
		"a " HEX64 " viewer exec:a 2030-01-01T00:00:00Z",
	};
	struct token_entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct gd_error why = { 0 };

		assert_int_equal(token_line_read(lines[i], &entry, &why), GD_INVALID_PARAMS);
		assert_null(strstr(why.text, "e3b0"));
	}
	assert_int_equal(token_line_read("  a\t" HEX64 "  viewer\r\n", &entry, NULL), GD_OK);
	assert_true(entry.expires == GD_NSEC_NEVER);
}

static void given_exec_profiles_when_written_and_read_then_they_agree(void **state)
{
	struct fixture    *f = *state;
	struct token_entry as = { .id = "ci", .role = TOKEN_SUBMITTER, .expires = NOW }, kept;

	assert_true(token_exec_add(as.exec, "backup"));
	assert_true(token_exec_add(as.exec, "deploy.2"));
	assert_true(token_exec_add(as.exec, "backup"));
	assert_string_equal(as.exec, "backup deploy.2");
	make_token_as(f, &as);
	assert_non_null(strstr(f->line.at, " submitter 2030-03-17T17:46:40Z exec:backup exec:d"));
	assert_int_equal(token_line_read(f->line.at, &kept, NULL), GD_OK);
	assert_true(kept.expires == NOW);
	assert_string_equal(kept.exec, as.exec);

	assert_true(token_exec_has(kept.exec, "backup"));
	assert_true(token_exec_has(kept.exec, "deploy.2"));
	assert_false(token_exec_has(kept.exec, "deploy"));
	assert_true(token_exec_has("*", "anything"));
	assert_int_equal(token_line_read("a " HEX64 " viewer exec:*", &kept, NULL), GD_OK);
	assert_true(kept.expires == GD_NSEC_NEVER);
	assert_string_equal(kept.exec, "*");
}

static void given_more_exec_profiles_than_there_is_room_then_refused(void **state)
{
	char exec[TOKEN_EXEC_BYTES_MAX + 1] = "", name[40];
	int  count = 0;

	(void)state;
	do
		(void)snprintf(name, sizeof name, "a-name-of-some-thirty-bytes-%03d", count++);
	while (token_exec_add(exec, name));
	assert_int_equal(count, 9);
	assert_true(strlen(exec) <= TOKEN_EXEC_BYTES_MAX);
	exec[0] = '\0';
	assert_false(token_exec_add(exec, "a-name-of-more-than-32-characters"));
	assert_false(token_exec_add(exec, ""));
	assert_false(token_exec_add(exec, "a b"));
}

/* --- moments --- */

static void given_moments_when_read_and_written_then_they_agree(void **state)
{
	static const struct {
		const char *text;
		int64_t     seconds;
		int32_t     nsec;
		const char *again;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z" },
		{ "2000-02-29T23:59:59Z", 951868799, 0, "2000-02-29T23:59:59Z" },
		{ "2030-03-17t17:46:40z", 1900000000, 0, "2030-03-17T17:46:40Z" },
		{ "2030-03-17 18:46:40.25+01:00", 1900000000, 250000000,
		  "2030-03-17T17:46:40.250Z" },
		{ "2030-03-17T12:16:40.000000001-05:30", 1900000000, 1, "2030-03-17T17:46:40Z" },
		{ "2016-12-31T23:59:60Z", 1483228800, 0, "2017-01-01T00:00:00Z" },
		{ "2261-12-31T23:59:59Z", 9214646399, 0, "2261-12-31T23:59:59Z" },
	};
	char    text[MOMENT_TEXT_BYTES];
	gd_nsec at;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(moment_read(rows[i].text, &at));
		assert_true(at == rows[i].seconds * GD_NSEC_PER_SEC + rows[i].nsec);
		moment_write(at, text);
		assert_string_equal(text, rows[i].again);
	}
}

static void given_every_day_when_written_and_read_then_it_is_the_same(void **state)
{
	char    text[MOMENT_TEXT_BYTES];
	gd_nsec again;

	(void)state;
	for (int64_t day = 0; day < 106000; day += 13) {
		gd_nsec at = day * 86400 * GD_NSEC_PER_SEC;

		moment_write(at, text);
		assert_true(moment_read(text, &again));
		assert_true(again == at);
	}
}

static void given_what_is_no_moment_when_read_then_false(void **state)
{
	static const char *const texts[] = {
		"",
		"2030",
		"2030-01-01",
		"2030-01-01T00:00:00",
		"2030-01-01T00:00Z",
		"2030-13-01T00:00:00Z",
		"2030-02-29T00:00:00Z",
		"2030-04-31T00:00:00Z",
		"2030-01-00T00:00:00Z",
		"2030-01-01T24:00:00Z",
		"2030-01-01T00:60:00Z",
		"2030-01-01T00:00:61Z",
		"2030-01-01T00:00:00.Z",
		"2030-01-01T00:00:00.1234567890Z",
		"2030-01-01T00:00:00+1:00",
		"2030-01-01T00:00:00+24:00",
		"2030-01-01T00:00:00Z ",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+01:00",
		"2262-01-01T00:00:00Z",
		"-030-01-01T00:00:00Z",
	};
	gd_nsec at;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_false(moment_read(texts[i], &at));
}

/* --- principals --- */

static void given_uids_when_asked_then_ours_are_admins_and_others_submit(void **state)
{
	struct principal p;

	(void)state;
	assert_int_equal(auth_of_uid(0, 990, &p, NULL), GD_OK);
	assert_string_equal(p.name, "uid:0");
	assert_int_equal(p.scopes, AUTH_SCOPES_ALL & ~(unsigned)AUTH_EXEC_RAW);
	assert_int_equal(auth_of_uid(990, 990, &p, NULL), GD_OK);
	assert_int_equal(p.scopes, AUTH_SCOPES_ALL);
	assert_int_equal(auth_of_uid(1000, 990, &p, NULL), GD_OK);
	assert_string_equal(p.name, "uid:1000");
	assert_int_equal(p.scopes, AUTH_SUBMIT | AUTH_OBSERVE_OWN | AUTH_CANCEL_OWN);
}

static void given_the_nameless_uid_when_asked_then_it_may_nothing(void **state)
{
	struct principal p;

	(void)state;
	assert_int_equal(auth_of_uid(65534, 990, &p, NULL), GD_UNAUTHORIZED);
	assert_int_equal(p.scopes, 0);
	assert_int_equal(auth_of_uid(65534, 65534, &p, NULL), GD_UNAUTHORIZED);
	assert_false(principal_may(&p, AUTH_SUBMIT));
	assert_true(principal_may(&p, 0));
}

static void given_a_socket_when_asked_then_the_kernel_vouches(void **state)
{
	struct principal p;
	char             name[32];
	int              ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(auth_of_peer(ends[0], &p, NULL), GD_OK);
	(void)snprintf(name, sizeof name, "uid:%u", (unsigned)geteuid());
	assert_string_equal(p.name, name);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(auth_of_peer(-1, &p, NULL), GD_SYS);
}

static void given_roles_when_asked_then_their_scopes_are_written(void **state)
{
	static const struct {
		enum token_role role;
		const char     *scopes;
	} rows[] = {
		{ TOKEN_VIEWER, "[\"observe:own\",\"observe:any\"]" },
		{ TOKEN_SUBMITTER, "[\"submit\",\"observe:own\",\"cancel:own\"]" },
		{ TOKEN_OPERATOR,
		  "[\"observe:own\",\"observe:any\",\"cancel:own\",\"cancel:any\"]" },
		{ TOKEN_ADMIN,
		  "[\"submit\",\"observe:own\",\"observe:any\",\"cancel:own\",\"cancel:any\","
		  "\"admin\",\"exec:*\"]" },
	};
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_clear(&b);
		auth_write_scopes(&b, auth_role_scopes(rows[i].role));
		assert_int_equal(b.bytes, strlen(rows[i].scopes));
		assert_memory_equal(b.at, rows[i].scopes, b.bytes);
	}
	buf_close(&b);
}

/* --- the token file --- */

static void open_with(struct fixture *f, const char *first, const char *second)
{
	write_file(f, first, second);
	assert_int_equal(auth_open(f->file, &f->auth, NULL), GD_OK);
}

static void given_a_token_of_the_file_when_shown_then_it_is_a_principal(void **state)
{
	struct fixture  *f = *state;
	struct principal p;

	make_token(f, "ops", TOKEN_OPERATOR, GD_NSEC_NEVER);
	open_with(f, "other " HEX64 " admin", f->line.at);

	assert_int_equal(auth_of_token(f->auth, f->token.at, NOW, &p, NULL), GD_OK);
	assert_string_equal(p.name, "token:ops");
	assert_int_equal(p.scopes, auth_role_scopes(TOKEN_OPERATOR));
	assert_true(p.is_token);
	assert_true(auth_still(f->auth, &p, NOW));
}

static void given_a_wrong_token_when_shown_then_all_answers_are_the_same(void **state)
{
	struct fixture  *f = *state;
	struct principal p;
	struct gd_error  secret = { 0 }, id = { 0 }, expired = { 0 };
	char             wrong[TOKEN_CHARS_MAX + 1];

	make_token(f, "ops", TOKEN_OPERATOR, NOW);
	open_with(f, f->line.at, "");
	strcpy(wrong, f->token.at);
	wrong[f->token.bytes - 1] = wrong[f->token.bytes - 1] == 'A' ? 'B' : 'A';

	assert_int_equal(auth_of_token(f->auth, wrong, NOW - 1, &p, &secret), GD_UNAUTHORIZED);
	assert_int_equal(p.scopes, 0);
	wrong[4] = 'x';
	assert_int_equal(auth_of_token(f->auth, wrong, NOW - 1, &p, &id), GD_UNAUTHORIZED);
	assert_int_equal(auth_of_token(f->auth, f->token.at, NOW, &p, &expired), GD_UNAUTHORIZED);
	assert_string_equal(secret.text, id.text);
	assert_string_equal(secret.text, expired.text);
	assert_int_equal(auth_of_token(f->auth, f->token.at, NOW - 1, &p, NULL), GD_OK);
}

static void given_an_all_zero_digest_when_no_id_fits_then_refused(void **state)
{
	struct fixture  *f = *state;
	struct principal p;

	open_with(f, "a 0000000000000000000000000000000000000000000000000000000000000000 admin",
	          "");
	assert_int_equal(auth_of_token(f->auth, "gat_a_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	                               NOW, &p, NULL),
	                 GD_UNAUTHORIZED);
}

static void given_no_token_file_when_a_token_is_shown_then_refused(void **state)
{
	struct fixture  *f = *state;
	struct principal p;

	assert_int_equal(auth_open(NULL, &f->auth, NULL), GD_OK);
	make_token(f, "a", TOKEN_ADMIN, GD_NSEC_NEVER);
	assert_int_equal(auth_of_token(f->auth, f->token.at, NOW, &p, NULL), GD_UNAUTHORIZED);
	assert_int_equal(auth_reload(f->auth, NULL), GD_OK);
}

static void given_a_revoked_token_when_reloaded_then_its_connection_must_end(void **state)
{
	struct fixture  *f = *state;
	struct principal p;
	char             line[256];

	make_token(f, "ops", TOKEN_OPERATOR, GD_NSEC_NEVER);
	open_with(f, f->line.at, "");
	assert_int_equal(auth_of_token(f->auth, f->token.at, NOW, &p, NULL), GD_OK);

	/* the same secret, another role: it goes on with other scopes */
	strcpy(line, f->line.at);
	strcpy(strstr(line, "operator"), "viewer exec:late");
	write_file(f, line, "");
	assert_int_equal(auth_reload(f->auth, NULL), GD_OK);
	assert_true(auth_still(f->auth, &p, NOW));
	assert_int_equal(p.scopes, auth_role_scopes(TOKEN_VIEWER));
	assert_string_equal(p.exec, "late");

	/* the same id, another secret */
	make_token(f, "ops", TOKEN_OPERATOR, GD_NSEC_NEVER);
	write_file(f, f->line.at, "");
	assert_int_equal(auth_reload(f->auth, NULL), GD_OK);
	assert_false(auth_still(f->auth, &p, NOW));
}

static void given_a_token_that_expires_when_time_passes_then_its_connection_must_end(void **state)
{
	struct fixture  *f = *state;
	struct principal p;

	make_token(f, "a", TOKEN_VIEWER, NOW);
	open_with(f, f->line.at, "");
	assert_int_equal(auth_of_token(f->auth, f->token.at, NOW - 1, &p, NULL), GD_OK);
	assert_true(auth_still(f->auth, &p, NOW - 1));
	assert_false(auth_still(f->auth, &p, NOW));
}

static void given_a_broken_file_when_reloaded_then_the_old_tokens_stay(void **state)
{
	struct fixture  *f = *state;
	struct principal p;
	struct gd_error  why = { 0 };

	make_token(f, "a", TOKEN_VIEWER, GD_NSEC_NEVER);
	open_with(f, f->line.at, "");
	write_file(f, "a " HEX64 " viewer", "a " HEX64 " admin");

	assert_int_equal(auth_reload(f->auth, &why), GD_INVALID_PARAMS);
	assert_non_null(strstr(why.text, ":5: the id a is there twice"));
	assert_int_equal(auth_of_token(f->auth, f->token.at, NOW, &p, NULL), GD_OK);
}

static void given_a_file_open_to_others_when_read_then_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0620, 0604, 0602, 0666 };
	struct fixture     *f = *state;
	struct gd_error     why = { 0 };
	struct auth        *auth = NULL;

	write_file(f, "a " HEX64 " viewer", "");
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		assert_int_equal(chmod(f->file, modes[i]), 0);
		assert_int_equal(auth_open(f->file, &auth, &why), GD_FORBIDDEN);
		assert_non_null(strstr(why.text, "chmod 600"));
	}
	assert_int_equal(auth_open("/tmp", &auth, &why), GD_FORBIDDEN);
	assert_int_equal(auth_open("/nowhere/at/all", &auth, &why), GD_SYS);
	assert_null(auth);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_a_new_token_when_read_back_then_its_line_fits),
		TEST(given_two_tokens_when_made_then_they_differ),
		TEST(given_bad_ids_when_a_token_is_made_then_refused),
		TEST(given_what_is_no_token_when_read_then_false),
		TEST(given_bad_lines_when_read_then_words_without_the_digest),
		TEST(given_exec_profiles_when_written_and_read_then_they_agree),
		TEST(given_more_exec_profiles_than_there_is_room_then_refused),
		TEST(given_moments_when_read_and_written_then_they_agree),
		TEST(given_every_day_when_written_and_read_then_it_is_the_same),
		TEST(given_what_is_no_moment_when_read_then_false),
		TEST(given_uids_when_asked_then_ours_are_admins_and_others_submit),
		TEST(given_the_nameless_uid_when_asked_then_it_may_nothing),
		TEST(given_a_socket_when_asked_then_the_kernel_vouches),
		TEST(given_roles_when_asked_then_their_scopes_are_written),
		TEST(given_a_token_of_the_file_when_shown_then_it_is_a_principal),
		TEST(given_a_wrong_token_when_shown_then_all_answers_are_the_same),
		TEST(given_an_all_zero_digest_when_no_id_fits_then_refused),
		TEST(given_no_token_file_when_a_token_is_shown_then_refused),
		TEST(given_a_revoked_token_when_reloaded_then_its_connection_must_end),
		TEST(given_a_token_that_expires_when_time_passes_then_its_connection_must_end),
		TEST(given_a_broken_file_when_reloaded_then_the_old_tokens_stay),
		TEST(given_a_file_open_to_others_when_read_then_refused),
	};

	return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
