#include "proto/base/check.h"
#include "tests/torture/disk.h"
#include "tests/torture/tape.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512u
#define FILES_MAX 32u
#define NAMES_MAX 16u
#define NO_FILE UINT32_MAX

const char *const cut_names[CUT_KINDS] = {
	[CUT_KEEPS_ALL] = "keeps all",     [CUT_KEEPS_NONE] = "keeps nothing unsynced",
	[CUT_DROPS_FIRST] = "drops first", [CUT_TEARS_LAST] = "tears last",
	[CUT_RANDOM] = "random sectors",
};

struct item {
	enum tape_kind       kind;
	uint32_t             file; /* number of it on this tape; NO_FILE: none */
	uint64_t             at;
	uint64_t             number; /* MARK */
	uint64_t             bytes;
	const unsigned char *payload;
};

struct tape {
	unsigned char *bytes; /* owned: all of it */
	struct item   *items; /* owned */
	uint32_t       count;
	uint32_t       file_count;
	uint64_t       inodes[FILES_MAX]; /* of each file; a later one with the same inode wins */
};

/* --- the tape --- */

static uint32_t file_of(struct tape *t, enum tape_kind kind, uint64_t inode)
{
	if (kind == TAPE_CREATE) {
		CHECK(t->file_count < FILES_MAX);
		t->inodes[t->file_count] = inode;
		return t->file_count++;
	}
	if (kind != TAPE_WRITE && kind != TAPE_TRUNCATE && kind != TAPE_SYNC)
		return NO_FILE;
	for (uint32_t i = t->file_count; i-- > 0;)
		if (t->inodes[i] == inode)
			return i;
	CHECK_NEVER("a file that the tape has not seen made");
}

static void index_items(struct tape *t, size_t total)
{
	struct tape_entry e;

	for (size_t at = 0; at < total; at += sizeof e + e.bytes) {
		struct item *item = &t->items[t->count++];

		memcpy(&e, t->bytes + at, sizeof e);
		item->kind = (enum tape_kind)e.kind;
		item->file = file_of(t, item->kind, e.inode);
		item->at = e.at;
		item->number = e.inode;
		item->bytes = e.bytes;
		item->payload = t->bytes + at + sizeof e;
	}
}

struct tape *tape_open(const char *path)
{
	struct tape *t = calloc(1, sizeof *t);
	struct stat  st;
	int          fd = open(path, O_RDONLY);

	CHECK(t != NULL && fd >= 0 && fstat(fd, &st) == 0);
	t->bytes = malloc((size_t)st.st_size + 1);
	t->items = calloc((size_t)st.st_size / sizeof(struct tape_entry) + 1, sizeof *t->items);
	CHECK(t->bytes != NULL && t->items != NULL);
	CHECK(read(fd, t->bytes, (size_t)st.st_size) == st.st_size);
	(void)close(fd);
	index_items(t, (size_t)st.st_size);
	return t;
}

void tape_close(struct tape *t)
{
	free(t->items);
	free(t->bytes);
	free(t);
}

uint32_t tape_count(const struct tape *t)
{
	return t->count;
}

bool tape_is_sync(const struct tape *t, uint32_t i)
{
	enum tape_kind kind = t->items[i].kind;

	return kind == TAPE_SYNC || kind == TAPE_SYNC_DIR || kind == TAPE_SYNC_PARENT;
}

uint32_t tape_marks(const struct tape *t, uint32_t count, enum disk_mark mark, uint64_t *last)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (t->items[i].kind != TAPE_MARK || t->items[i].at != (uint64_t)mark)
			continue;
		found++;
		if (last != NULL)
			*last = t->items[i].number;
	}
	return found;
}

uint32_t tape_behind(const struct tape *t, enum disk_mark mark, uint32_t n)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->items[i].kind == TAPE_MARK && t->items[i].at == (uint64_t)mark && --n == 0)
			return i + 1;
	CHECK_NEVER("no such mark");
}

/* --- one cut --- */

struct content {
	unsigned char *at;
	size_t         bytes;
	size_t         room;
	uint32_t       synced;        /* entries before this one are safe */
	uint32_t       first_pending; /* write */
	uint32_t       last_pending;
};

struct play {
	const struct tape *tape;
	uint32_t           count;
	enum cut           cut;
	uint64_t           seed;
	uint32_t           names_synced;
	uint32_t           parent_synced;
	struct content     files[FILES_MAX];
	struct {
		char     name[64];
		uint32_t file;
	} names[NAMES_MAX];
	uint32_t name_count;
	bool     has_dir;
};

/* SplitMix64 over what makes the choice. */
static uint64_t choice(const struct play *p, uint64_t a, uint64_t b)
{
	uint64_t x = p->seed + a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xbf58476d1ce4e5b9);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static void find_syncs(struct play *p)
{
	for (uint32_t i = 0; i < p->count; i++) {
		const struct item *item = &p->tape->items[i];

		if (item->kind == TAPE_SYNC)
			p->files[item->file].synced = i;
		else if (item->kind == TAPE_SYNC_DIR)
			p->names_synced = i;
		else if (item->kind == TAPE_SYNC_PARENT)
			p->parent_synced = i;
	}
	for (uint32_t i = p->count; i-- > 0;) {
		const struct item *item = &p->tape->items[i];
		struct content    *c = item->kind == TAPE_WRITE ? &p->files[item->file] : NULL;

		if (c == NULL || i < c->synced)
			continue;
		c->first_pending = i;
		if (c->last_pending == 0)
			c->last_pending = i;
	}
}

static bool is_touched_later(const struct play *p, uint32_t i, uint64_t sector)
{
	const struct item *first = &p->tape->items[i];

	for (uint32_t k = i + 1; k < p->count; k++) {
		const struct item *item = &p->tape->items[k];

		if (item->kind == TAPE_WRITE && item->file == first->file &&
		    item->at / SECTOR <= sector && (item->at + item->bytes - 1) / SECTOR >= sector)
			return true;
	}
	return false;
}

/* Whether the part of write `i` that lies in this sector reaches the disk. */
static bool is_kept(const struct play *p, uint32_t i, uint64_t sector)
{
	const struct item    *item = &p->tape->items[i];
	const struct content *c = &p->files[item->file];
	uint64_t              chance;

	switch (p->cut) {
	case CUT_KEEPS_ALL:
		return true;
	case CUT_KEEPS_NONE:
		return false;
	case CUT_DROPS_FIRST:
		return i != c->first_pending || is_touched_later(p, i, sector);
	case CUT_TEARS_LAST:
		return i != c->last_pending ||
		       sector - item->at / SECTOR < choice(p, i, 0) % (item->bytes / SECTOR + 1);
	case CUT_RANDOM:
		chance = choice(p, item->file, sector);
		if (chance % 8 < 3)
			return false;
		/* A version in between: all writes up to some moment. */
		return chance % 8 < 6 ||
		       i < c->first_pending + (chance >> 8) % (p->count - c->first_pending);
	case CUT_KINDS:
		break;
	}
	CHECK_NEVER("no such cut");
}

static void set_length(struct content *c, size_t bytes)
{
	if (bytes > c->room) {
		c->room = bytes * 2;
		c->at = realloc(c->at, c->room);
		CHECK(c->at != NULL);
	}
	if (bytes > c->bytes)
		memset(c->at + c->bytes, 0, bytes - c->bytes);
	c->bytes = bytes;
}

/* A length may have reached the disk without what was written there. */
static void lose_piece(struct play *p, uint32_t i, struct content *c, uint64_t end)
{
	if (p->cut == CUT_RANDOM && choice(p, i, end) % 4 == 0 && end > c->bytes)
		set_length(c, (size_t)end);
}

static void play_write(struct play *p, uint32_t i)
{
	const struct item *item = &p->tape->items[i];
	struct content    *c = &p->files[item->file];
	uint64_t           end = item->at + item->bytes;

	for (uint64_t at = item->at, next; at < end; at = next) {
		next = (at / SECTOR + 1) * SECTOR;
		if (next > end)
			next = end;
		if (i >= c->synced && !is_kept(p, i, at / SECTOR)) {
			lose_piece(p, i, c, next);
			continue;
		}
		if (next > c->bytes)
			set_length(c, (size_t)next);
		memcpy(c->at + at, item->payload + (at - item->at), (size_t)(next - at));
	}
}

/* Whether an unsynced change of length or of a name reaches the disk. */
static bool is_change_kept(const struct play *p, uint32_t i)
{
	if (p->cut == CUT_RANDOM)
		return choice(p, i, 1) % 2 == 0;
	return p->cut != CUT_KEEPS_NONE;
}

static uint32_t *find_name(struct play *p, const char *name)
{
	for (uint32_t i = 0; i < p->name_count; i++)
		if (strcmp(p->names[i].name, name) == 0)
			return &p->names[i].file;
	CHECK(p->name_count < NAMES_MAX && strlen(name) < sizeof p->names[0].name);
	memcpy(p->names[p->name_count].name, name, strlen(name) + 1);
	return &p->names[p->name_count++].file;
}

static void play_name(struct play *p, const struct item *item)
{
	char      names[256] = "";
	uint32_t *from;
	uint32_t  file;

	CHECK(item->bytes < sizeof names);
	memcpy(names, item->payload, item->bytes);
	if (item->kind == TAPE_CREATE) {
		*find_name(p, names) = item->file;
		return;
	}
	from = find_name(p, names);
	file = *from;
	*from = NO_FILE;
	if (item->kind == TAPE_RENAME)
		*find_name(p, names + strlen(names) + 1) = file;
}

/* Names come in order: once one is lost, so are those behind it. */
static void play_names(struct play *p)
{
	for (uint32_t i = 0; i < p->count; i++) {
		const struct item *item = &p->tape->items[i];

		if (item->kind == TAPE_MAKE_DIR)
			p->has_dir = i < p->parent_synced || is_change_kept(p, i);
		if (item->kind != TAPE_CREATE && item->kind != TAPE_RENAME &&
		    item->kind != TAPE_UNLINK)
			continue;
		if (i >= p->names_synced && !is_change_kept(p, i))
			return;
		play_name(p, item);
	}
}

static void play_contents(struct play *p)
{
	for (uint32_t i = 0; i < p->count; i++) {
		const struct item *item = &p->tape->items[i];

		if (item->kind == TAPE_WRITE)
			play_write(p, i);
		else if (item->kind == TAPE_TRUNCATE &&
		         (i < p->files[item->file].synced || is_change_kept(p, i)))
			set_length(&p->files[item->file], (size_t)item->at);
	}
}

/* FNV-1a, over words: the files may be large. */
static void hash_in(uint64_t *hash, const void *bytes, size_t count)
{
	const unsigned char *at = bytes;
	uint64_t             word;

	for (; count >= sizeof word; at += sizeof word, count -= sizeof word) {
		memcpy(&word, at, sizeof word);
		*hash = (*hash ^ word) * UINT64_C(0x100000001b3);
		*hash ^= *hash >> 32;
	}
	for (; count > 0; at++, count--)
		*hash = (*hash ^ *at) * UINT64_C(0x100000001b3);
}

static void write_files(const struct play *p, const char *dir, uint64_t *hash)
{
	char path[512];

	CHECK(mkdir(dir, 0700) == 0);
	for (uint32_t i = 0; i < p->name_count; i++) {
		const struct content *c;
		int                   fd;

		if (p->names[i].file == NO_FILE)
			continue;
		c = &p->files[p->names[i].file];
		(void)snprintf(path, sizeof path, "%s/%s", dir, p->names[i].name);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		CHECK(fd >= 0);
		CHECK(write(fd, c->at, c->bytes) == (ssize_t)c->bytes);
		(void)close(fd);
		hash_in(hash, p->names[i].name, strlen(p->names[i].name));
		hash_in(hash, c->at, c->bytes);
	}
}

bool tape_play(const struct tape *t, uint32_t count, enum cut cut, uint64_t seed, const char *dir,
               uint64_t *hash)
{
	struct play p = { .tape = t, .count = count, .cut = cut, .seed = seed };

	*hash = UINT64_C(0xcbf29ce484222325);
	find_syncs(&p);
	play_names(&p);
	play_contents(&p);
	if (p.has_dir)
		write_files(&p, dir, hash);
	for (uint32_t i = 0; i < FILES_MAX; i++)
		free(p.files[i].at);
	return p.has_dir;
}
