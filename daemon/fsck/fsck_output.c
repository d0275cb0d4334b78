#include "daemon/fsck/inside.h"

#include "daemon/store/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct sum {
	uint64_t bytes;
	uint64_t orphans; /* files */
};

static void look_at_file(struct fsck *f, sqlite3_stmt *ask, const struct output_file *file,
                         struct sum *sum)
{
	(void)sqlite3_bind_int64(ask, 1, (sqlite3_int64)file->ref.job);
	sum->bytes += file->bytes;
	sum->orphans += !fsck_row(f, ask);
	(void)sqlite3_reset(ask);
}

/* Output of no job is no problem: a crash leaves it, and a daemon that runs lets it go. */
enum gd_err fsck_output(struct fsck *f, struct gd_error *why)
{
	struct output_files files;
	struct sum          sum = { 0 };
	sqlite3_stmt       *ask;
	enum gd_err         rc;
	int fd = openat(f->dir.dir_fd, OUTPUT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? GD_OK : gd_fail_sys(why, errno, "cannot open the output");
	rc = output_list(fd, &files, why);
	(void)close(fd);
	if (rc != GD_OK)
		return rc;
	if (fsck_ask(f, "SELECT 1 FROM jobs WHERE id = ?1", &ask)) {
		for (size_t i = 0; i < files.count; i++)
			look_at_file(f, ask, &files.at[i], &sum);
	}
	(void)sqlite3_finalize(ask);
	free(files.at);
	fsck_say(f, "output of commands: %zu files with %" PRIu64 " bytes", files.count, sum.bytes);
	if (sum.orphans != 0)
		fsck_say(f, "output of commands: %" PRIu64 " files of no job; a start removes them",
		         sum.orphans);
	return GD_OK;
}
