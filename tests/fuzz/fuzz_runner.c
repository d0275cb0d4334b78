/*
 * Any bytes as what the daemon and gatherd-runner say to each other: taken, waited for, or refused;
 * and what is taken means the same when it is said again.
 */
#include "daemon/runner/wire.h"
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

const uint32_t fuzz_rounds = 200000;

/* Touches every byte of a list, so that a sanitizer sees one that is not there. */
static size_t weigh(const char *const *list)
{
	size_t bytes = 0;

	for (; *list != NULL; list++)
		bytes += strlen(*list) + 1;
	return bytes;
}

static void look_at(const struct run_message *m, size_t frame_bytes)
{
	const struct run_start *s = &m->start;

	if (m->kind == RUN_REFUSED)
		CHECK(strlen(m->words) < frame_bytes);
	if (m->kind == RUN_STATE)
		CHECK(run_stage_name(m->state.stage) != NULL);
	if (m->kind != RUN_START)
		return;
	CHECK(weigh(s->argv) + weigh(s->env) + weigh(s->secrets) + s->input_bytes < frame_bytes);
	CHECK(s->key[0] != '\0' && strlen(s->key) <= RUN_KEY_BYTES_MAX);
	CHECK(s->keep[RUN_STDOUT] <= RUN_KEEP_MAX && s->rlimit_count <= RUN_RLIMITS_MAX);
}

/* Said again it has the same bytes, unless a text ended early. */
static void say_again(const struct run_message *m, const char *at, size_t bytes)
{
	struct buf         again = { 0 }, third = { 0 };
	struct run_message back;
	size_t             used;

	run_message_put(&again, m);
	CHECK(again.failed == GD_OK && again.bytes <= bytes);
	if (again.bytes == bytes)
		CHECK(memcmp(again.at, at, bytes) == 0);
	CHECK(run_message_get(again.at, again.bytes, &back, &used) == WIRE_MESSAGE);
	run_message_put(&third, &back);
	CHECK(third.bytes == again.bytes && memcmp(third.at, again.at, third.bytes) == 0);
	run_message_close(&back);
	buf_close(&again);
	buf_close(&third);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char        *at = (const char *)data;
	struct run_message m;
	size_t             used;

	while (run_message_get(at, size, &m, &used) == WIRE_MESSAGE) {
		CHECK(used > 4 && used <= size);
		look_at(&m, used);
		say_again(&m, at, used);
		run_message_close(&m);
		at += used;
		size -= used;
	}
	CHECK(used == 0);
	return 0;
}
