#include "proto/base/check.h"
#include "tests/torture/kit.h"
#include "tests/torture/power_rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is there --- */

/* A dump of the store in rig.image, NUL behind it; NULL with words in `why`. */
static char *dump_image(struct gd_error *why)
{
	struct kit k;
	struct buf b = { 0 };

	kit_init(&k);
	kit_open(&k, rig.image);
	kit_dump(&k, &b);
	buf_add_byte(&b, '\0');
	*why = k.why;
	if (k.failed != GD_OK) {
		buf_close(&b);
		b.at = NULL;
	}
	kit_close(&k);
	return b.at;
}

/* The store goes on: a commit more, an orderly stop, and it is there. */
static bool goes_on(struct gd_error *why)
{
	struct kit k;
	uint64_t   seq;
	uint64_t   id;

	kit_init(&k);
	kit_open(&k, rig.image);
	id = k.failed == GD_OK ? store_next_job_id(k.store) : 0;
	kit_start(&k);
	kit_job(&k, id, JOB_QUEUED, NULL, NULL, 10);
	kit_commit(&k);
	seq = k.seq;
	*why = k.why;
	if (k.failed != GD_OK) {
		kit_close(&k);
		return false;
	}
	kit_close(&k);
	kit_init(&k);
	kit_open(&k, rig.image);
	*why = k.why;
	if (k.failed == GD_OK && (store_seq(k.store) != seq || store_next_job_id(k.store) <= id))
		k.failed = gd_fail(why, GD_STORE, "a commit after the cut is not there");
	seq = k.failed;
	kit_close(&k);
	return seq == GD_OK;
}

/* Their numbers are those that were acknowledged. */
void power_find_states(void)
{
	struct gd_error why;
	uint64_t        hash;
	uint64_t        number = 0;
	char            start[64];
	uint32_t acks = tape_marks(rig.recorded, tape_count(rig.recorded), DISK_ACKNOWLEDGED, NULL);

	CHECK(acks < STATES_MAX);
	rig.state_count = acks + 1;
	for (uint32_t k = 0; k <= acks; k++) {
		uint32_t count = k == 0 ? 0 : tape_behind(rig.recorded, DISK_ACKNOWLEDGED, k);

		power_empty_dir(rig.image);
		(void)tape_play(rig.recorded, count, CUT_KEEPS_ALL, 0, rig.image, &hash);
		rig.states[k] = dump_image(&why);
		if (rig.states[k] == NULL) {
			printf("# %s: after commit %u: %s\n", rig.scene->name, (unsigned)k,
			       why.text);
			CHECK_NEVER("a store that was only killed does not open");
		}
		(void)tape_marks(rig.recorded, count, DISK_ACKNOWLEDGED, &number);
		(void)snprintf(start, sizeof start, "seq %" PRIu64 " ", number);
		CHECK(strncmp(rig.states[k], start, strlen(start)) == 0);
	}
}

void power_forget_states(void)
{
	for (uint32_t i = 0; i < rig.state_count; i++)
		free(rig.states[i]);
	rig.state_count = 0;
}

/* --- and whether it may be --- */

static size_t line_bytes(const char *text)
{
	const char *end = strchr(text, '\n');

	return end == NULL ? strlen(text) : (size_t)(end - text) + 1;
}

static bool begins(const char *line, const char *word)
{
	return strncmp(line, word, strlen(word)) == 0;
}

/* A line of kit_dump() that may leave: an event, or a job that is over. */
static bool may_expire(const char *line, size_t bytes)
{
	const char *status = bytes < 5 ? NULL : memchr(line + 4, ' ', bytes - 4);

	if (begins(line, "event "))
		return true;
	return begins(line, "job ") && status != NULL &&
	       (begins(status, " completed ") || begins(status, " failed ") ||
	        begins(status, " cancelled "));
}

static bool has_line(const char *text, const char *line, size_t bytes)
{
	for (; *text != '\0'; text += line_bytes(text))
		if (strncmp(text, line, bytes) == 0)
			return true;
	return false;
}

/* Of what may expire, enough. */
static bool has_enough(const char *dump)
{
	uint32_t jobs = 0;
	uint32_t events = 0;

	for (; *dump != '\0'; dump += line_bytes(dump)) {
		events += begins(dump, "event ");
		jobs += begins(dump, "job ") && may_expire(dump, line_bytes(dump));
	}
	return jobs >= rig.scene->jobs_kept && events >= rig.scene->events_kept;
}

/* They differ in nothing but what may have expired in one of them: what leaves behind a commit may
 * have left before or behind its mark on the tape. */
static bool is_but_for_expired(const char *dump, const char *state)
{
	const char *all = dump;

	while (*dump != '\0' || *state != '\0') {
		size_t bytes = line_bytes(state);
		size_t more = line_bytes(dump);

		if (*state != '\0' && bytes == more && strncmp(dump, state, bytes) == 0) {
			dump += more;
			state += bytes;
		} else if (*state != '\0' && !has_line(dump, state, bytes)) {
			if (!may_expire(state, bytes))
				return false;
			state += bytes;
		} else {
			if (*dump == '\0' || !may_expire(dump, more))
				return false;
			dump += more;
		}
	}
	return has_enough(all);
}

static bool is_state(const char *dump, uint32_t k)
{
	if (strcmp(dump, rig.states[k]) == 0)
		return true;
	return rig.scene->is_expiring && is_but_for_expired(dump, rig.states[k]);
}

/* Which of the states between these two it is. */
static uint32_t find_state(const char *dump, const struct cut_at *at)
{
	for (uint32_t k = at->acknowledged; k <= at->handed_in && k < rig.state_count; k++)
		if (is_state(dump, k))
			return k;
	return UINT32_MAX;
}

uint32_t power_state_of_image(const struct cut_at *at)
{
	struct gd_error why;
	char           *dump = dump_image(&why);
	uint32_t        k = dump == NULL ? UINT32_MAX : find_state(dump, at);

	free(dump);
	return k;
}

int power_look(void *ctx)
{
	const struct cut_at *at = ctx;
	struct gd_error      why;
	char                *dump = dump_image(&why);

	if (dump == NULL) {
		printf("# it does not open: %s\n", why.text);
		return 1;
	}
	if (find_state(dump, at) == UINT32_MAX) {
		printf("# %u acknowledged, %u handed in, and it holds none of these states: %.200s\n",
		       (unsigned)at->acknowledged, (unsigned)at->handed_in, dump);
		return 1;
	}
	free(dump);
	if (at->seed % 4 == 0 && !goes_on(&why)) {
		printf("# it does not go on: %s\n", why.text);
		return 1;
	}
	return 0;
}
