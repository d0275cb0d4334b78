#include "daemon/store/audit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24
#define MAGIC 0x377f0682u /* the last bit says which byte order the checksums were made in */
#define PAGE_BYTES_MIN 512u
#define PAGE_BYTES_MAX 65536u
#define PAGE_BYTES_USUAL 4096u
#define COMMITS_IN_GOOD_FAITH 1

struct sum {
	uint32_t at[2];
	bool     is_big_endian; /* the words that go in */
};

struct walk {
	FILE         *file;
	struct sum    sum; /* of everything up to here */
	uint32_t      page_bytes;
	unsigned char salt[8];
	bool          has_salt;
	bool          is_broken;    /* a checksum or salt did not fit; from then on only counted */
	uint64_t      good_bytes;   /* before that */
	uint64_t      commits;      /* in there */
	uint64_t      frames;       /* up to the last of them */
	uint64_t      bytes;        /* in all */
	uint64_t      commits_lost; /* there and behind it */
	unsigned char frame[FRAME_HEADER_BYTES + PAGE_BYTES_MAX];
};

static uint32_t get_big(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t get_little(const unsigned char *at)
{
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static uint32_t get_word(const unsigned char *at, bool is_big_endian)
{
	return is_big_endian ? get_big(at) : get_little(at);
}

/* SQLite's running sum over pairs of words. */
static void sum_up(struct sum *sum, const unsigned char *at, size_t count)
{
	for (size_t i = 0; i < count; i += 8) {
		sum->at[0] += sum->at[1] + get_word(at + i, sum->is_big_endian);
		sum->at[1] += sum->at[0] + get_word(at + i + 4, sum->is_big_endian);
	}
}

static bool is_sum(const struct sum *sum, const unsigned char *at)
{
	return get_big(at) == sum->at[0] && get_big(at + 4) == sum->at[1];
}

static bool is_page_size(uint32_t bytes)
{
	return bytes >= PAGE_BYTES_MIN && bytes <= PAGE_BYTES_MAX && (bytes & (bytes - 1)) == 0;
}

static bool is_header(const unsigned char *header)
{
	struct sum sum = { .is_big_endian = (header[3] & 1) != 0 };

	sum_up(&sum, header, 24);
	return (get_big(header) & ~1u) == MAGIC && is_page_size(get_big(header + 8)) &&
	       is_sum(&sum, header + 24);
}

/* --- the walk --- */

/* A damaged header hides the whole log; then the first frame tells which ones belong together. */
static void take_header(struct walk *w, const unsigned char *header)
{
	w->page_bytes = get_big(header + 8);
	w->sum.is_big_endian = (header[3] & 1) != 0;
	sum_up(&w->sum, header, 24);
	if (is_header(header)) {
		memcpy(w->salt, header + 16, sizeof w->salt);
		w->has_salt = true;
		w->good_bytes = HEADER_BYTES;
		return;
	}
	w->is_broken = true;
	if (!is_page_size(w->page_bytes))
		w->page_bytes = PAGE_BYTES_USUAL;
}

/* False: it does not follow from what stands before it. */
static bool check_frame(struct walk *w)
{
	const unsigned char *frame = w->frame;

	sum_up(&w->sum, frame, 8);
	sum_up(&w->sum, frame + FRAME_HEADER_BYTES, w->page_bytes);
	return memcmp(frame + 8, w->salt, sizeof w->salt) == 0 && get_big(frame) != 0 &&
	       is_sum(&w->sum, frame + 16);
}

static void take_frame(struct walk *w)
{
	const unsigned char *frame = w->frame;

	if (!w->has_salt) {
		memcpy(w->salt, frame + 8, sizeof w->salt);
		w->has_salt = true;
	}
	if (!w->is_broken) {
		if (check_frame(w)) {
			w->good_bytes += FRAME_HEADER_BYTES + w->page_bytes;
			if (get_big(frame + 4) != 0) {
				w->commits++;
				w->frames = (w->good_bytes - HEADER_BYTES) /
				            (FRAME_HEADER_BYTES + w->page_bytes);
			}
			return;
		}
		w->is_broken = true;
	}
	/* The size of the database stands only in the last frame of a transaction. */
	if (memcmp(frame + 8, w->salt, sizeof w->salt) == 0 && get_big(frame + 4) != 0)
		w->commits_lost++;
}

static enum gd_err walk_file(struct walk *w, const char *path, struct gd_error *why)
{
	unsigned char header[HEADER_BYTES];

	if (fread(header, sizeof header, 1, w->file) == 1) {
		w->bytes = sizeof header;
		take_header(w, header);
		while (fread(w->frame, FRAME_HEADER_BYTES + w->page_bytes, 1, w->file) == 1) {
			w->bytes += FRAME_HEADER_BYTES + w->page_bytes;
			take_frame(w);
		}
	}
	if (ferror(w->file))
		return gd_fail_sys(why, errno, "cannot read %s", path);
	if (w->commits_lost > COMMITS_IN_GOOD_FAITH)
		return gd_fail(why, GD_STORE,
		               "%s is damaged at byte %llu, with %llu commits behind; restore "
		               "a backup, or lose them: truncate -s %llu",
		               path, (unsigned long long)w->good_bytes,
		               (unsigned long long)w->commits_lost,
		               (unsigned long long)w->good_bytes);
	return GD_OK;
}

enum gd_err audit_read(const char *path, struct audit_report *report, struct gd_error *why)
{
	struct walk *w = calloc(1, sizeof *w);
	enum gd_err  rc = GD_OK;

	*report = (struct audit_report){ 0 };
	if (w == NULL)
		return gd_fail(why, GD_NOMEM, "%s: out of memory", path);
	w->file = fopen(path, "rbe");
	if (w->file != NULL) {
		rc = walk_file(w, path, why);
		(void)fclose(w->file);
		*report = (struct audit_report){ .bytes = w->bytes,
			                         .commits = w->commits,
			                         .frames = w->frames,
			                         .good_bytes = w->good_bytes,
			                         .commits_lost = w->commits_lost };
	} else if (errno != ENOENT) {
		rc = gd_fail_sys(why, errno, "cannot open %s", path);
	}
	free(w);
	return rc;
}

enum gd_err audit_wal(const char *path, uint64_t *frames, struct gd_error *why)
{
	struct audit_report report;
	enum gd_err         rc = audit_read(path, &report, why);

	*frames = report.frames;
	return rc;
}
