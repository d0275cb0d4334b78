#include "daemon/runner/wire.h"

#include "proto/base/check.h"

#include <stdlib.h>
#include <string.h>

/* --- numbers and texts --- */

static const unsigned char *take(struct wire *w, size_t bytes)
{
	const unsigned char *at = w->at;

	if (w->is_bad || bytes > w->left) {
		w->is_bad = true;
		return NULL;
	}
	w->at += bytes;
	w->left -= bytes;
	return at;
}

static uint64_t number(struct wire *w, uint64_t value, size_t bytes)
{
	const unsigned char *from;
	unsigned char        to[8];

	if (w->out != NULL) {
		for (size_t i = 0; i < bytes; i++)
			to[i] = (unsigned char)(value >> (8 * i));
		buf_add(w->out, to, bytes);
		return value;
	}
	value = 0;
	if ((from = take(w, bytes)) != NULL) {
		for (size_t i = 0; i < bytes; i++)
			value |= (uint64_t)from[i] << (8 * i);
	}
	return value;
}

void wire_u8(struct wire *w, uint8_t *value)
{
	*value = (uint8_t)number(w, *value, 1);
}

void wire_u32(struct wire *w, uint32_t *value)
{
	*value = (uint32_t)number(w, *value, 4);
}

void wire_u64(struct wire *w, uint64_t *value)
{
	*value = number(w, *value, 8);
}

static void wire_i32(struct wire *w, int32_t *value)
{
	*value = (int32_t)number(w, (uint32_t)*value, 4);
}

static void wire_nsec(struct wire *w, gd_nsec *value)
{
	*value = (gd_nsec)number(w, (uint64_t)*value, 8);
}

static void wire_bool(struct wire *w, bool *value)
{
	uint64_t is = number(w, *value, 1);

	w->is_bad = w->is_bad || is > 1;
	*value = is == 1;
}

void wire_text(struct wire *w, const char **text)
{
	uint32_t             bytes = 0;
	const unsigned char *at;

	if (w->out != NULL) {
		bytes = (uint32_t)strlen(*text) + 1;
		wire_u32(w, &bytes);
		buf_add(w->out, *text, bytes);
		return;
	}
	wire_u32(w, &bytes);
	at = take(w, bytes);
	*text = "";
	if (at == NULL || bytes == 0 || at[bytes - 1] != '\0') {
		w->is_bad = true;
		return;
	}
	*text = (const char *)at;
	w->has_nul = w->has_nul || strlen(*text) + 1 != bytes;
}

/* NULL is not the same as "". */
static void wire_optional_text(struct wire *w, const char **text)
{
	bool is_there = *text != NULL;

	wire_bool(w, &is_there);
	if (is_there)
		wire_text(w, text);
	else
		*text = NULL;
}

/* A list that ends in NULL; decoded into `*owned`. False: no memory. */
static bool wire_texts(struct wire *w, const char *const **list, void **owned)
{
	uint32_t     count = 0;
	const char **at;
	const char  *text;

	while (w->out != NULL && *list != NULL && (*list)[count] != NULL)
		count++;
	wire_u32(w, &count);
	if (w->out != NULL) {
		for (uint32_t i = 0; i < count; i++) {
			text = (*list)[i];
			wire_text(w, &text);
		}
		return true;
	}
	/* Each takes five bytes at least, so that a small frame asks for little memory. */
	if (count > RUN_TEXTS_MAX || count > w->left / 5)
		w->is_bad = true;
	if (w->is_bad)
		count = 0;
	*owned = at = calloc((size_t)count + 1, sizeof *at);
	if (at == NULL)
		return false;
	for (uint32_t i = 0; i < count; i++)
		wire_text(w, &at[i]);
	*list = at;
	return true;
}

/* --- what messages are made of --- */

void wire_ref(struct wire *w, struct run_ref *ref)
{
	wire_u64(w, &ref->job);
	wire_u32(w, &ref->exec);
	wire_u32(w, &ref->attempt);
}

static void wire_exit(struct wire *w, struct run_exit *e)
{
	wire_i32(w, &e->code);
	wire_i32(w, &e->signal);
	wire_bool(w, &e->has_core);
	wire_nsec(w, &e->ended);
	wire_nsec(w, &e->ended_boot);
	wire_nsec(w, &e->took);
	wire_nsec(w, &e->user);
	wire_nsec(w, &e->system);
	wire_u64(w, &e->peak_bytes);
	for (int i = 0; i < RUN_STREAMS; i++) {
		wire_u64(w, &e->bytes[i]);
		wire_u64(w, &e->kept[i]);
		w->is_bad = w->is_bad || e->kept[i] > e->bytes[i];
	}
	wire_bool(w, &e->is_incomplete);
	wire_bool(w, &e->is_left_behind);
}

void wire_state(struct wire *w, struct run_state *s)
{
	uint8_t phase = (uint8_t)s->phase;
	uint8_t stage = (uint8_t)s->stage;

	wire_ref(w, &s->ref);
	wire_u8(w, &phase);
	wire_nsec(w, &s->started);
	if (phase == RUN_RUNNING)
		wire_i32(w, &s->pid);
	if (phase == RUN_FAILED) {
		wire_u8(w, &stage);
		wire_i32(w, &s->error);
	}
	if (phase == RUN_EXITED)
		wire_exit(w, &s->exit);
	if (phase < RUN_RUNNING || phase > RUN_LOST || stage >= RUN_STAGE_COUNT) {
		w->is_bad = true;
		return;
	}
	s->phase = (enum run_phase)phase;
	s->stage = (enum run_stage)stage;
}

static bool wire_rlimits(struct wire *w, struct run_start *s, void **owned)
{
	uint32_t           count = s->rlimit_count;
	struct run_rlimit *at;
	struct run_rlimit  one;

	wire_u32(w, &count);
	if (count > RUN_RLIMITS_MAX)
		w->is_bad = true;
	if (w->is_bad)
		count = 0;
	if (w->out == NULL) {
		*owned = at = calloc((size_t)count + 1, sizeof *at);
		if (at == NULL)
			return false;
		s->rlimits = at;
		s->rlimit_count = count;
	} else {
		at = NULL;
	}
	for (uint32_t i = 0; i < count; i++) {
		one = at == NULL ? s->rlimits[i] : (struct run_rlimit){ 0 };
		wire_u32(w, &one.resource);
		wire_u64(w, &one.soft);
		wire_u64(w, &one.hard);
		if (at != NULL)
			at[i] = one;
	}
	return true;
}

static void wire_input(struct wire *w, struct run_start *s)
{
	bool     is_there = s->input != NULL;
	uint32_t bytes = (uint32_t)s->input_bytes;

	wire_bool(w, &is_there);
	if (!is_there)
		return;
	wire_u32(w, &bytes);
	if (w->out != NULL) {
		buf_add(w->out, s->input, bytes);
		return;
	}
	s->input = take(w, bytes);
	s->input_bytes = s->input == NULL ? 0 : bytes;
}

static bool wire_start(struct wire *w, struct run_start *s, void *owned[4])
{
	wire_text(w, &s->key);
	if (!wire_texts(w, &s->argv, &owned[0]) || !wire_texts(w, &s->env, &owned[1]) ||
	    !wire_texts(w, &s->secrets, &owned[2]) || !wire_rlimits(w, s, &owned[3]))
		return false;
	wire_optional_text(w, &s->cwd);
	wire_input(w, s);
	for (int i = 0; i < RUN_STREAMS; i++) {
		wire_u64(w, &s->keep[i]);
		w->is_bad = w->is_bad || s->keep[i] > RUN_KEEP_MAX;
	}
	wire_u32(w, &s->pids_max);
	wire_u32(w, &s->umask);
	wire_i32(w, &s->nice);
	wire_u32(w, &s->uid);
	wire_u32(w, &s->gid);
	wire_bool(w, &s->is_paced);
	wire_bool(w, &s->merges_error);
	wire_bool(w, &s->tells_output);
	w->is_bad = w->is_bad || strlen(s->key) > RUN_KEY_BYTES_MAX || s->key[0] == '\0';
	s->has_nul = w->has_nul;
	return true;
}

static void wire_welcome(struct wire *w, struct run_message *m)
{
	const char *boot_id = m->welcome.boot_id;

	wire_u32(w, &m->welcome.version);
	wire_u64(w, &m->welcome.instance);
	wire_text(w, &boot_id);
	if (w->out != NULL)
		return;
	w->is_bad = w->is_bad || strlen(boot_id) > BOOT_ID_CHARS;
	if (!w->is_bad)
		memcpy(m->welcome.boot_id, boot_id, strlen(boot_id) + 1);
}

/* --- messages --- */

static bool has_ref(enum run_kind kind)
{
	switch (kind) {
	case RUN_START:
	case RUN_SIGNAL:
	case RUN_TERMINATE:
	case RUN_ACK:
	case RUN_WATCH:
	case RUN_TAKEN:
	case RUN_OUTPUT:
		return true;
	case RUN_STATE: /* inside the state */
	case RUN_HELLO:
	case RUN_LIST:
	case RUN_WELCOME:
	case RUN_REFUSED:
	case RUN_STATE_END:
		return false;
	}
	return false;
}

/* The fields of this kind. False: no memory. */
static bool wire_fields(struct wire *w, struct run_message *m)
{
	if (has_ref(m->kind))
		wire_ref(w, &m->ref);
	switch (m->kind) {
	case RUN_HELLO:
		wire_u32(w, &m->version);
		return true;
	case RUN_START:
		m->start.ref = m->ref;
		return wire_start(w, &m->start, m->owned);
	case RUN_SIGNAL:
		wire_i32(w, &m->signal);
		return true;
	case RUN_TERMINATE:
		wire_nsec(w, &m->grace);
		return true;
	case RUN_WATCH:
		wire_bool(w, &m->is_on);
		return true;
	case RUN_WELCOME:
		wire_welcome(w, m);
		return true;
	case RUN_REFUSED:
		wire_text(w, &m->words);
		return true;
	case RUN_STATE:
		wire_state(w, &m->state);
		m->ref = m->state.ref;
		return true;
	case RUN_TAKEN:
	case RUN_OUTPUT:
		wire_u64(w, &m->bytes[RUN_STDOUT]);
		wire_u64(w, &m->bytes[RUN_STDERR]);
		return true;
	case RUN_ACK:
	case RUN_LIST:
	case RUN_STATE_END:
		return true;
	}
	w->is_bad = true;
	return true;
}

void run_message_put(struct buf *out, const struct run_message *m)
{
	struct wire        w = { .out = out };
	struct run_message copy = *m;
	size_t             at = out->bytes;
	uint32_t           bytes = 0;
	uint8_t            kind = (uint8_t)m->kind;

	wire_u32(&w, &bytes);
	wire_u8(&w, &kind);
	(void)wire_fields(&w, &copy);
	CHECK(!w.is_bad);
	if (out->failed != GD_OK)
		return;
	bytes = (uint32_t)(out->bytes - at - sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		out->at[at + i] = (char)(bytes >> (8 * i));
}

enum wire_found run_message_get(const char *at, size_t bytes, struct run_message *m, size_t *used)
{
	struct wire w = { .at = (const unsigned char *)at, .left = bytes };
	uint32_t    length = 0;
	uint8_t     kind = 0;

	*used = 0;
	if (bytes < sizeof length)
		return WIRE_MORE;
	wire_u32(&w, &length);
	if (length == 0 || length > RUN_FRAME_BYTES_MAX)
		return WIRE_BAD;
	if (w.left < length)
		return WIRE_MORE;
	w.left = length;
	wire_u8(&w, &kind);
	*m = (struct run_message){ .kind = (enum run_kind)kind };
	if (!wire_fields(&w, m)) {
		run_message_close(m);
		return WIRE_NOMEM;
	}
	if (w.is_bad || w.left != 0) {
		run_message_close(m);
		return WIRE_BAD;
	}
	*used = sizeof length + length;
	return WIRE_MESSAGE;
}

void run_message_close(struct run_message *m)
{
	for (size_t i = 0; i < sizeof m->owned / sizeof m->owned[0]; i++) {
		free(m->owned[i]);
		m->owned[i] = NULL;
	}
}
