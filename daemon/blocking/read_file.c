/* read_file(path, offset?, length?, encoding?) and sha256(path) */
#include "daemon/blocking/roots.h"
#include "daemon/value/bytes.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES (64u << 10) /* of a digest, between two looks at whether it is wanted */

/* Up to `room` bytes from `offset` on, fewer only at the end; -1 with errno. */
static ssize_t read_at(int fd, char *to, size_t room, int64_t offset)
{
	size_t done = 0;

	while (done < room) {
		ssize_t got = pread(fd, to + done, room - done, offset + (int64_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* --- read_file --- */

enum encoding { ENCODING_ANY, ENCODING_TEXT, ENCODING_BASE64 };

struct wish {
	const struct vtext *path;
	enum encoding       encoding;
	int64_t             offset;
	int64_t             length; /* -1: all that is left */
};

static bool read_encoding(struct call *c, enum encoding *out)
{
	const struct vtext *text;

	*out = ENCODING_ANY;
	if (value_is_none(call_arg(c, "encoding")))
		return true;
	text = call_text(c, "encoding");
	if (text == NULL)
		return false;
	if (strcmp(text->at, "text") == 0)
		*out = ENCODING_TEXT;
	else if (strcmp(text->at, "base64") == 0)
		*out = ENCODING_BASE64;
	else
		(void)call_fail(c, "ValueError",
		                "%s: \"encoding\" is \"text\" or \"base64\", not \"%s\"",
		                c->function, call_show(&(struct call_shown){ 0 }, text->at));
	return *out != ENCODING_ANY;
}

static bool read_wish(struct call *c, struct wish *w)
{
	*w = (struct wish){ .path = call_text(c, "path"), .length = -1 };
	return w->path != NULL && call_number(c, "offset", 0, INT64_MAX / 2, &w->offset) &&
	       call_number(c, "length", 0, BLOCKING_READ_BYTES_MAX, &w->length) &&
	       read_encoding(c, &w->encoding);
}

static struct value make_result(struct call *c, const struct wish *w, const char *at, size_t bytes)
{
	if (w->encoding == ENCODING_BASE64)
		return bytes_new_base64(c->heap, at, bytes);
	if (w->encoding == ENCODING_TEXT && !bytes_are_text(at, bytes))
		return call_fail(c, "ValueError", "%s: not UTF-8 text without NUL",
		                 call_show(&(struct call_shown){ 0 }, w->path->at));
	return bytes_new(c->heap, at, bytes);
}

/* One byte more than allowed is asked for where all is wanted: then there is too much. */
static struct value read_open(struct call *c, const struct wish *w, int fd, char *room)
{
	size_t  wanted = w->length < 0 ? BLOCKING_READ_BYTES_MAX + 1 : (size_t)w->length;
	ssize_t got = read_at(fd, room, wanted, w->offset);

	if (got < 0)
		return call_fail_path(c, errno, w->path->at);
	if ((size_t)got > BLOCKING_READ_BYTES_MAX)
		return call_fail(c, "LimitError",
		                 "%s: more than %u bytes; read it in parts, by \"offset\" and "
		                 "\"length\"",
		                 call_show(&(struct call_shown){ 0 }, w->path->at),
		                 BLOCKING_READ_BYTES_MAX);
	return make_result(c, w, room, (size_t)got);
}

struct value blocking_read_file(struct call *c)
{
	struct wish  w;
	struct stat  st;
	struct value result;
	char        *room;
	int          fd;

	if (!read_wish(c, &w))
		return VALUE_NONE;
	fd = roots_open_file(c, w.path, &st);
	if (fd < 0)
		return VALUE_NONE;
	room = malloc(w.length < 0 ? BLOCKING_READ_BYTES_MAX + 1 : (size_t)w.length + 1);
	result = room == NULL ? call_fail_memory(c) : read_open(c, &w, fd, room);
	free(room);
	(void)close(fd);
	return result;
}

/* --- sha256 --- */

/* The bytes that it had when it was opened: one that grows for ever has an end. */
static bool digest(struct call *c, const char *path, int fd, int64_t bytes, EVP_MD_CTX *md)
{
	char piece[PIECE_BYTES];

	for (int64_t at = 0; at < bytes;) {
		size_t wanted =
			bytes - at < (int64_t)sizeof piece ? (size_t)(bytes - at) : sizeof piece;
		ssize_t got = read_at(fd, piece, wanted, at);

		if (got < 0) {
			(void)call_fail_path(c, errno, path);
			return false;
		}
		if (call_is_unwanted(c)) {
			(void)call_fail_unwanted(c);
			return false;
		}
		if (got == 0) /* somebody has cut it */
			return true;
		if (EVP_DigestUpdate(md, piece, (size_t)got) != 1) {
			(void)call_fail_memory(c);
			return false;
		}
		at += got;
	}
	return true;
}

static struct value make_hex(struct call *c, EVP_MD_CTX *md)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char     hash[EVP_MAX_MD_SIZE];
	unsigned          bytes;
	char              hex[2 * EVP_MAX_MD_SIZE];

	if (EVP_DigestFinal_ex(md, hash, &bytes) != 1)
		return call_fail_memory(c);
	for (unsigned i = 0; i < bytes; i++) {
		hex[2 * i] = digits[hash[i] >> 4];
		hex[2 * i + 1] = digits[hash[i] & 0xf];
	}
	return value_text_new(c->heap, hex, (size_t)2 * bytes);
}

struct value blocking_sha256(struct call *c)
{
	const struct vtext *path = call_text(c, "path");
	struct value        result = VALUE_NONE;
	struct stat         st;
	EVP_MD_CTX         *md;
	int                 fd = path == NULL ? -1 : roots_open_file(c, path, &st);

	if (fd < 0)
		return VALUE_NONE;
	md = EVP_MD_CTX_new();
	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		(void)call_fail_memory(c);
	else if (digest(c, path->at, fd, st.st_size, md))
		result = make_hex(c, md);
	EVP_MD_CTX_free(md);
	(void)close(fd);
	return result;
}
