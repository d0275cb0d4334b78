#include "proto/token.h"

#include "proto/base/check.h"
#include "proto/base/moment.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/random.h>

#define TOKEN_PREFIX "gat_"
#define TOKEN_PREFIX_CHARS 4u
#define TOKEN_SECRET_BYTES 32u
#define TOKEN_LINE_BYTES_MAX 640u
#define BLANKS " \t\r\n"
#define EXEC_NAME_CHARS_MAX 32u

static const char *const role_names[] = {
	[TOKEN_VIEWER] = "viewer",
	[TOKEN_SUBMITTER] = "submitter",
	[TOKEN_OPERATOR] = "operator",
	[TOKEN_ADMIN] = "admin",
};
#define ROLE_COUNT (sizeof role_names / sizeof role_names[0])

/* RFC 4648 section 5 */
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const char *token_role_name(enum token_role role)
{
	CHECK((size_t)role < ROLE_COUNT);
	return role_names[role];
}

bool token_role_parse(const char *text, enum token_role *out)
{
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (strcmp(text, role_names[i]) == 0) {
			*out = (enum token_role)i;
			return true;
		}
	}
	return false;
}

bool token_id_is_good(const char *id)
{
	size_t chars =
		strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return chars >= 1 && chars <= TOKEN_ID_CHARS_MAX && id[chars] == '\0';
}

/* 32 bytes are 10 groups of three and one of two: 43 characters without padding. */
static void write_secret(const uint8_t bytes[TOKEN_SECRET_BYTES], char out[TOKEN_SECRET_CHARS])
{
	uint32_t have = 0; /* bits not yet written, lowest `count` of them */
	uint32_t count = 0;
	size_t   used = 0;

	for (size_t i = 0; i < TOKEN_SECRET_BYTES; i++) {
		have = have << 8 | bytes[i];
		for (count += 8; count >= 6; count -= 6)
			out[used++] = base64url[have >> (count - 6) & 63];
	}
	out[used++] = base64url[have << (6 - count) & 63];
	CHECK(used == TOKEN_SECRET_CHARS);
}

static enum gd_err fill_random(uint8_t *out, size_t bytes, struct gd_error *why)
{
	ssize_t got;

	do
		got = getrandom(out, bytes, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return gd_fail_sys(why, errno, "no random bytes");
	CHECK((size_t)got == bytes); /* up to 256 bytes come whole: getrandom(2) */
	return GD_OK;
}

static void digest_of(const char *token, size_t chars, uint8_t out[TOKEN_DIGEST_BYTES])
{
	(void)SHA256((const unsigned char *)token, chars, out);
}

/* --- exec profiles --- */

static bool exec_name_is_good(const char *name)
{
	size_t chars = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	                            "._-");

	return strcmp(name, "*") == 0 ||
	       (chars >= 1 && chars <= EXEC_NAME_CHARS_MAX && name[chars] == '\0');
}

static bool has_word(const char *words, const char *word)
{
	size_t chars = strlen(word);

	for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
		size_t here = strcspn(at, " ");

		if (here == chars && memcmp(at, word, chars) == 0)
			return true;
		at += here;
	}
	return false;
}

bool token_exec_has(const char *exec, const char *name)
{
	return has_word(exec, name) || has_word(exec, "*");
}

bool token_exec_add(char exec[TOKEN_EXEC_BYTES_MAX + 1], const char *name)
{
	size_t bytes = strlen(exec), more = strlen(name);
	size_t gap = bytes == 0 ? 0 : 1;

	if (!exec_name_is_good(name))
		return false;
	if (has_word(exec, name))
		return true;
	if (bytes + gap + more > TOKEN_EXEC_BYTES_MAX)
		return false;
	exec[bytes] = ' ';
	memcpy(exec + bytes + gap, name, more + 1);
	return true;
}

/* --- lines --- */

static void add_exec(struct buf *line, const char *exec)
{
	for (const char *at = exec; *at != '\0'; at += strspn(at, " ")) {
		size_t chars = strcspn(at, " ");

		buf_addf(line, " " TOKEN_EXEC "%.*s", (int)chars, at);
		at += chars;
	}
}

static void add_line(struct buf *line, const struct token_entry *as,
                     const uint8_t digest[TOKEN_DIGEST_BYTES])
{
	char when[MOMENT_TEXT_BYTES];

	buf_add_text(line, as->id);
	buf_add_byte(line, ' ');
	for (size_t i = 0; i < TOKEN_DIGEST_BYTES; i++)
		buf_addf(line, "%02x", digest[i]);
	buf_addf(line, " %s", token_role_name(as->role));
	if (as->expires != GD_NSEC_NEVER) {
		moment_write(as->expires, when);
		buf_addf(line, " %s", when);
	}
	add_exec(line, as->exec);
}

enum gd_err token_create(const struct token_entry *as, struct buf *token, struct buf *line,
                         struct gd_error *why)
{
	uint8_t     bytes[TOKEN_SECRET_BYTES];
	uint8_t     digest[TOKEN_DIGEST_BYTES];
	char        text[TOKEN_CHARS_MAX];
	size_t      chars = 0;
	enum gd_err rc;

	if (!token_id_is_good(as->id))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "a token's id is 1 to %u letters, digits, '.', '_' or '-'",
		               TOKEN_ID_CHARS_MAX);
	rc = fill_random(bytes, sizeof bytes, why);
	if (rc != GD_OK)
		return rc;
	memcpy(text, TOKEN_PREFIX, TOKEN_PREFIX_CHARS);
	chars = TOKEN_PREFIX_CHARS;
	memcpy(text + chars, as->id, strlen(as->id));
	chars += strlen(as->id);
	text[chars++] = '_';
	write_secret(bytes, text + chars);
	chars += TOKEN_SECRET_CHARS;
	digest_of(text, chars, digest);
	buf_add(token, text, chars);
	add_line(line, as, digest);
	OPENSSL_cleanse(bytes, sizeof bytes);
	OPENSSL_cleanse(text, sizeof text);
	if (token->failed != GD_OK || line->failed != GD_OK)
		return gd_fail(why, GD_NOMEM, "no memory for a token");
	return GD_OK;
}

bool token_read(const char *text, struct token_entry *out)
{
	size_t chars = strnlen(text, TOKEN_CHARS_MAX + 1);
	size_t id_chars;

	if (chars > TOKEN_CHARS_MAX || chars < TOKEN_PREFIX_CHARS + 1 + 1 + TOKEN_SECRET_CHARS)
		return false;
	id_chars = chars - TOKEN_PREFIX_CHARS - 1 - TOKEN_SECRET_CHARS;
	if (strncmp(text, TOKEN_PREFIX, TOKEN_PREFIX_CHARS) != 0 ||
	    text[TOKEN_PREFIX_CHARS + id_chars] != '_')
		return false;
	memcpy(out->id, text + TOKEN_PREFIX_CHARS, id_chars);
	out->id[id_chars] = '\0';
	if (!token_id_is_good(out->id) ||
	    strspn(text + chars - TOKEN_SECRET_CHARS, base64url) != TOKEN_SECRET_CHARS)
		return false;
	digest_of(text, chars, out->digest);
	return true;
}

static int32_t hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool read_digest(const char *text, uint8_t out[TOKEN_DIGEST_BYTES])
{
	if (strlen(text) != 2u * TOKEN_DIGEST_BYTES)
		return false;
	for (size_t i = 0; i < TOKEN_DIGEST_BYTES; i++) {
		int32_t high = hex_digit(text[2 * i]);
		int32_t low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

/* What stands behind the role: when it ends, and what it may execute. */
static enum gd_err read_rest(struct token_entry *out, char *rest, struct gd_error *why)
{
	char *word = strtok_r(rest, BLANKS, &rest);

	if (word != NULL && strncmp(word, TOKEN_EXEC, strlen(TOKEN_EXEC)) != 0) {
		if (!moment_read(word, &out->expires))
			return gd_fail(why, GD_INVALID_PARAMS,
			               "the expiry is not a moment such as 2030-01-31T09:00:00Z");
		word = strtok_r(rest, BLANKS, &rest);
	}
	for (; word != NULL; word = strtok_r(rest, BLANKS, &rest)) {
		if (strncmp(word, TOKEN_EXEC, strlen(TOKEN_EXEC)) != 0)
			return gd_fail(why, GD_INVALID_PARAMS,
			               "not ID SHA256 ROLE [EXPIRES] [exec:NAME]...");
		if (!token_exec_add(out->exec, word + strlen(TOKEN_EXEC)))
			return gd_fail(why, GD_INVALID_PARAMS,
			               "%.45s is not exec:NAME of a profile, or one too many",
			               word);
	}
	return GD_OK;
}

enum gd_err token_line_read(const char *line, struct token_entry *out, struct gd_error *why)
{
	char        copy[TOKEN_LINE_BYTES_MAX];
	char       *words[3];
	char       *rest = copy;
	int         count = 0;
	enum gd_err rc;

	if (strlen(line) >= sizeof copy)
		return gd_fail(why, GD_INVALID_PARAMS, "longer than %u bytes",
		               TOKEN_LINE_BYTES_MAX - 1);
	*out = (struct token_entry){ .expires = GD_NSEC_NEVER };
	memcpy(copy, line, strlen(line) + 1);
	while (count < 3 && (words[count] = strtok_r(rest, BLANKS, &rest)) != NULL)
		count++;
	if (count != 3)
		return gd_fail(why, GD_INVALID_PARAMS,
		               "not ID SHA256 ROLE [EXPIRES] [exec:NAME]...");
	if (!token_id_is_good(words[0]))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "the id is not 1 to %u letters, digits, '.', '_' or '-'",
		               TOKEN_ID_CHARS_MAX);
	if (!read_digest(words[1], out->digest))
		return gd_fail(why, GD_INVALID_PARAMS, "the digest is not 64 digits 0-9, a-f");
	if (!token_role_parse(words[2], &out->role))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "the role is not viewer, submitter, operator or admin");
	if ((rc = read_rest(out, rest, why)) == GD_OK)
		memcpy(out->id, words[0], strlen(words[0]) + 1);
	return rc;
}
