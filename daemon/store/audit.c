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

struct walk {
	FILE         *file;
	bool          is_big_endian;
	uint32_t      page_bytes;
	uint32_t      sum[2]; /* of everything up to here */
	unsigned char salt[8];
	bool          has_salt;
	bool          is_broken;    /* a checksum or salt did not fit; from then on only counted */
	uint64_t      good_bytes;   /* before that */
	uint64_t      commits_lost; /* behind it */
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

/* SQLite's running sum over pairs of words. */
static void sum_up(struct walk *w, const unsigned char *at, size_t count)
{
	for (size_t i = 0; i < count; i += 8) {
		w->sum[0] += w->sum[1] + (w->is_big_endian ? get_big(at + i) : get_little(at + i));
		w->sum[1] += w->sum[0] +
		             (w->is_big_endian ? get_big(at + i + 4) : get_little(at + i + 4));
	}
}

static bool is_sum(const struct walk *w, const unsigned char *at)
{
	return get_big(at) == w->sum[0] && get_big(at + 4) == w->sum[1];
}

static bool is_page_size(uint32_t bytes)
{
	return bytes >= PAGE_BYTES_MIN && bytes <= PAGE_BYTES_MAX && (bytes & (bytes - 1)) == 0;
}

/* A damaged header hides the whole log; then the first frame tells which ones belong together. */
static void take_header(struct walk *w, const unsigned char *header)
{
	w->page_bytes = get_big(header + 8);
	w->is_big_endian = (header[3] & 1) != 0;
	sum_up(w, header, 24);
	if ((get_big(header) & ~1u) == MAGIC && is_page_size(w->page_bytes) &&
	    is_sum(w, header + 24)) {
		memcpy(w->salt, header + 16, sizeof w->salt);
		w->has_salt = true;
		w->good_bytes = HEADER_BYTES;
		return;
	}
	w->is_broken = true;
	if (!is_page_size(w->page_bytes))
		w->page_bytes = PAGE_BYTES_USUAL;
}

static void take_frame(struct walk *w)
{
	const unsigned char *frame = w->frame;
	bool                 is_ours;

	if (!w->has_salt) {
		memcpy(w->salt, frame + 8, sizeof w->salt);
		w->has_salt = true;
	}
	is_ours = memcmp(frame + 8, w->salt, sizeof w->salt) == 0;
	if (!w->is_broken) {
		sum_up(w, frame, 8);
		sum_up(w, frame + FRAME_HEADER_BYTES, w->page_bytes);
		w->is_broken = !is_ours || get_big(frame) == 0 || !is_sum(w, frame + 16);
		if (!w->is_broken)
			w->good_bytes += FRAME_HEADER_BYTES + w->page_bytes;
		return;
	}
	/* The size of the database stands only in the last frame of a transaction. */
	if (is_ours && get_big(frame + 4) != 0)
		w->commits_lost++;
}

static enum gd_err walk_file(struct walk *w, const char *path, struct gd_error *why)
{
	unsigned char header[HEADER_BYTES];

	if (fread(header, sizeof header, 1, w->file) == 1) {
		take_header(w, header);
		while (fread(w->frame, FRAME_HEADER_BYTES + w->page_bytes, 1, w->file) == 1)
			take_frame(w);
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

enum gd_err audit_wal(const char *path, struct gd_error *why)
{
	struct walk *w = calloc(1, sizeof *w);
	enum gd_err  rc = GD_OK;

	if (w == NULL)
		return gd_fail(why, GD_NOMEM, "%s: out of memory", path);
	w->file = fopen(path, "rbe");
	if (w->file != NULL) {
		rc = walk_file(w, path, why);
		(void)fclose(w->file);
	} else if (errno != ENOENT) {
		rc = gd_fail_sys(why, errno, "cannot open %s", path);
	}
	free(w);
	return rc;
}
