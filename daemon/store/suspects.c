#include "daemon/store/suspects.h"

#include "proto/base/check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SUSPECTS_FILE "replaying"
#define SUSPECTS_MAGIC UINT64_C(0x67646a6f6273f102)
#define SUSPECTS_MAX 16u
#define LOOPS_MAX 64u

struct suspects_page {
	uint64_t magic;
	uint64_t now[LOOPS_MAX]; /* the job that each loop replays; 0: none */
	struct {
		uint64_t job; /* 0: a free place */
		uint64_t deaths;
	} at[SUSPECTS_MAX];
};

/* Who stood there when the last daemon ended may have ended it. The place of the one with the
 * fewest deaths is taken when there is none. */
static void accuse(struct suspects_page *page, uint64_t job)
{
	uint32_t place = 0;

	for (uint32_t i = 0; i < SUSPECTS_MAX; i++) {
		if (page->at[i].job == job) {
			place = i;
			break;
		}
		if (page->at[i].deaths < page->at[place].deaths)
			place = i;
	}
	if (page->at[place].job != job)
		page->at[place].deaths = 0;
	page->at[place].job = job;
	page->at[place].deaths++;
}

static void accuse_all(struct suspects *s)
{
	for (uint32_t i = 0; i < LOOPS_MAX; i++) {
		if (s->page->now[i] == 0)
			continue;
		accuse(s->page, s->page->now[i]);
		s->page->now[i] = 0;
	}
	for (uint32_t i = 0; i < SUSPECTS_MAX; i++)
		s->is_any_accused = s->is_any_accused || s->page->at[i].job != 0;
}

void suspects_open(struct suspects *s, int dir_fd)
{
	const size_t bytes = sizeof *s->page;
	int   fd = openat(dir_fd, SUSPECTS_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *page = MAP_FAILED;

	*s = (struct suspects){ 0 };
	if (fd < 0)
		return;
	if (posix_fallocate(fd, 0, (off_t)bytes) == 0)
		page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (page == MAP_FAILED)
		return;
	s->page = page;
	if (s->page->magic != SUSPECTS_MAGIC)
		*s->page = (struct suspects_page){ .magic = SUSPECTS_MAGIC };
	accuse_all(s);
}

uint32_t suspects_begin(struct suspects *s, uint32_t loop, uint64_t job)
{
	CHECK(loop < LOOPS_MAX);
	if (s->page == NULL)
		return 0;
	*(volatile uint64_t *)&s->page->now[loop] = job;
	for (uint32_t i = 0; i < SUSPECTS_MAX; i++)
		if (s->page->at[i].job == job)
			return (uint32_t)s->page->at[i].deaths;
	return 0;
}

void suspects_end(struct suspects *s, uint32_t loop)
{
	if (s->page != NULL)
		*(volatile uint64_t *)&s->page->now[loop] = 0;
}

void suspects_acquit(struct suspects *s, int dir_fd)
{
	suspects_close(s);
	(void)unlinkat(dir_fd, SUSPECTS_FILE, 0);
}

void suspects_close(struct suspects *s)
{
	if (s->page != NULL)
		(void)munmap(s->page, sizeof *s->page);
	s->page = NULL;
}
