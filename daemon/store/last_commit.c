#include "daemon/store/last_commit.h"

#include "proto/base/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SLOT_BYTES 512 /* the least that any disk writes whole */
#define SLOTS 2
#define AT_COMMITS 8
#define AT_NEXT_JOB 16
#define AT_UUID 24
#define AT_SUM 64

static const unsigned char magic[8] = "gdlast1";

static void put_u64(unsigned char *to, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		to[i] = (unsigned char)(number >> (8 * i));
}

static uint64_t get_u64(const unsigned char *at)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number |= (uint64_t)at[i] << (8 * i);
	return number;
}

static uint64_t sum_of(const unsigned char *slot)
{
	return gd_sum(GD_SUM_START, slot, AT_SUM);
}

static void encode(unsigned char slot[SLOT_BYTES], const struct last_commit *now)
{
	memset(slot, 0, SLOT_BYTES);
	memcpy(slot, magic, sizeof magic);
	put_u64(slot + AT_COMMITS, now->commits);
	put_u64(slot + AT_NEXT_JOB, now->next_job);
	memcpy(slot + AT_UUID, now->uuid, LAST_COMMIT_UUID_CHARS);
	put_u64(slot + AT_SUM, sum_of(slot));
}

static bool decode(const unsigned char *slot, struct last_commit *out)
{
	if (memcmp(slot, magic, sizeof magic) != 0 || get_u64(slot + AT_SUM) != sum_of(slot))
		return false;
	*out = (struct last_commit){ .commits = get_u64(slot + AT_COMMITS),
		                     .next_job = get_u64(slot + AT_NEXT_JOB) };
	memcpy(out->uuid, slot + AT_UUID, LAST_COMMIT_UUID_CHARS);
	return true;
}

/* The newer of the slots that can be read. */
static enum last_commit_found newest(const unsigned char slots[SLOTS * SLOT_BYTES],
                                     struct last_commit *out)
{
	enum last_commit_found found = LAST_COMMIT_DAMAGED;
	struct last_commit     one;

	for (int i = 0; i < SLOTS; i++) {
		if (!decode(slots + i * SLOT_BYTES, &one))
			continue;
		if (found == LAST_COMMIT_DAMAGED || one.commits > out->commits)
			*out = one;
		found = LAST_COMMIT_KNOWN;
	}
	return found;
}

enum gd_err last_commit_read(int dir_fd, struct last_commit *out, enum last_commit_found *found,
                             struct gd_error *why)
{
	static const unsigned char nothing[SLOTS * SLOT_BYTES];

	unsigned char slots[SLOTS * SLOT_BYTES] = { 0 };
	int           fd = openat(dir_fd, LAST_COMMIT_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t       got;
	int           failed;

	*found = LAST_COMMIT_NONE;
	if (fd < 0)
		return errno == ENOENT ? GD_OK
		                       : gd_fail_sys(why, errno, "cannot open " LAST_COMMIT_FILE);
	got = pread(fd, slots, sizeof slots, 0);
	failed = errno;
	(void)close(fd);
	if (got < 0)
		return gd_fail_sys(why, failed, "cannot read " LAST_COMMIT_FILE);
	/* A start that was cut off by a power cut leaves it empty. */
	if (memcmp(slots, nothing, sizeof slots) != 0)
		*found = newest(slots, out);
	return GD_OK;
}

enum gd_err last_commit_compare(const struct last_commit *last, const struct last_commit *now,
                                const char *database, struct gd_error *why)
{
	if (strcmp(last->uuid, now->uuid) != 0)
		return gd_fail(why, GD_STORE,
		               "%s is not the database that was here (%.8s..., now %.8s...); put "
		               "that one back, or go on with this: --accept-rollback",
		               database, last->uuid, now->uuid);
	if (now->commits < last->commits)
		return gd_fail(why, GD_STORE,
		               "%s ends at commit %llu, but %llu were acknowledged; put the newer "
		               "one back, or lose them: --accept-rollback",
		               database, (unsigned long long)now->commits,
		               (unsigned long long)last->commits);
	return GD_OK;
}

/* Which slot: the one that does not hold the commit before. */
static bool put(const struct last_commit_file *f, const struct last_commit *now)
{
	unsigned char slot[SLOT_BYTES];

	encode(slot, now);
	return pwrite(f->fd, slot, sizeof slot, (off_t)(now->commits % SLOTS) * SLOT_BYTES) ==
	       SLOT_BYTES;
}

/* Both slots, so that none tells of a database that was here before. Its blocks are there from now
 * on: a note does not fail because the disk is full. */
static enum gd_err put_both(const struct last_commit_file *f, int dir_fd,
                            const struct last_commit *now, struct gd_error *why)
{
	unsigned char slots[SLOTS * SLOT_BYTES];

	for (int i = 0; i < SLOTS; i++)
		encode(slots + i * SLOT_BYTES, now);
	if (pwrite(f->fd, slots, sizeof slots, 0) != sizeof slots || fsync(f->fd) != 0 ||
	    fsync(dir_fd) != 0)
		return gd_fail_sys(why, errno, "cannot write " LAST_COMMIT_FILE);
	return GD_OK;
}

enum gd_err last_commit_open(struct last_commit_file *f, int dir_fd, const struct last_commit *now,
                             struct gd_error *why)
{
	enum gd_err rc;

	f->fd = openat(dir_fd, LAST_COMMIT_FILE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd < 0)
		return gd_fail_sys(why, errno, "cannot make " LAST_COMMIT_FILE);
	rc = put_both(f, dir_fd, now, why);
	f->is_synced = true;
	if (rc != GD_OK)
		last_commit_close(f);
	return rc;
}

void last_commit_note(struct last_commit_file *f, const struct last_commit *now)
{
	if (f->fd >= 0 && put(f, now))
		f->is_synced = false;
}

void last_commit_sync(struct last_commit_file *f)
{
	if (f->fd < 0 || f->is_synced)
		return;
	/* Tried once: a second success would say nothing about what the first one lost. */
	(void)fdatasync(f->fd);
	f->is_synced = true;
}

void last_commit_close(struct last_commit_file *f)
{
	last_commit_sync(f);
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
}
