#include "daemon/load/problems.h"

#include "proto/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_CHARS 400

static void problem_close(struct load_problem *p)
{
	free(p->pointer);
	free(p->message);
	free(p->hint);
	*p = (struct load_problem){ 0 };
}

void load_problems_close(struct load_problems *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		problem_close(&p->at[i]);
	*p = (struct load_problems){ 0 };
}

bool load_problems_add(struct load_problems *p, const char *pointer, const char *message,
                       const char *hint)
{
	struct load_problem one = { 0 };

	if (p->count == SPEC_PROBLEMS_MAX) {
		p->is_cut = true;
		return true;
	}
	one.pointer = strdup(pointer);
	one.message = strdup(message);
	one.hint = hint != NULL ? strdup(hint) : NULL;
	if (one.pointer == NULL || one.message == NULL || (hint != NULL && one.hint == NULL)) {
		problem_close(&one);
		return false;
	}
	p->at[p->count++] = one;
	return true;
}

static void write_member(struct buf *b, const char *name, const char *text)
{
	buf_addf(b, "\"%s\":", name);
	buf_add_json_string(b, text, strlen(text));
}

void load_problems_write_json(struct buf *b, const struct load_problems *p)
{
	buf_add_byte(b, '[');
	for (uint32_t i = 0; i < p->count; i++) {
		buf_add_text(b, i == 0 ? "{" : ",{");
		write_member(b, "pointer", p->at[i].pointer);
		buf_add_byte(b, ',');
		write_member(b, "message", p->at[i].message);
		if (p->at[i].hint != NULL) {
			buf_add_byte(b, ',');
			write_member(b, "hint", p->at[i].hint);
		}
		buf_add_byte(b, '}');
	}
	buf_add_byte(b, ']');
}

void problem_list_init(struct problem_list *list, struct load_problems *out)
{
	list->out = out;
	list->seen = 0;
	list->failed = false;
}

static uint32_t path_of(const struct place *at, uint32_t path[PLACE_DEPTH_MAX])
{
	uint32_t depth = 0;

	for (const struct place *p = at; p->up != NULL; p = p->up)
		depth++;
	CHECK(depth <= PLACE_DEPTH_MAX);
	for (uint32_t i = depth; i > 0; i--, at = at->up)
		path[i - 1] = at->index;
	return depth;
}

/* A node stands before what is inside it. */
static bool is_before(const uint32_t *a, uint32_t a_depth, const uint32_t *b, uint32_t b_depth)
{
	for (uint32_t i = 0; i < a_depth && i < b_depth; i++)
		if (a[i] != b[i])
			return a[i] < b[i];
	return a_depth < b_depth;
}

/* Where a problem with this path belongs: behind those of the same place. */
static uint32_t position_of(const struct problem_list *list, const uint32_t *path, uint32_t depth)
{
	uint32_t i = list->out->count;

	while (i > 0 && is_before(path, depth, list->path[i - 1], list->depth[i - 1]))
		i--;
	return i;
}

bool problem_is_wanted(const struct problem_list *list, const struct place *at)
{
	uint32_t path[PLACE_DEPTH_MAX];
	uint32_t depth = path_of(at, path);

	return position_of(list, path, depth) < SPEC_PROBLEMS_MAX;
}

bool problems_are_enough(const struct problem_list *list, const struct place *at)
{
	return list->out->is_cut && !problem_is_wanted(list, at);
}

/* Makes position `i` free; the last one falls out when the list is full. */
static void open_gap(struct problem_list *list, uint32_t i)
{
	struct load_problems *out = list->out;
	uint32_t              moved;

	if (out->count == SPEC_PROBLEMS_MAX) {
		problem_close(&out->at[--out->count]);
		out->is_cut = true;
	}
	moved = out->count - i;
	memmove(&out->at[i + 1], &out->at[i], moved * sizeof out->at[0]);
	memmove(&list->path[i + 1], &list->path[i], moved * sizeof list->path[0]);
	memmove(&list->depth[i + 1], &list->depth[i], moved * sizeof list->depth[0]);
	out->count++;
}

static void write_place(struct buf *b, const struct place *at)
{
	const struct place *chain[PLACE_DEPTH_MAX];
	uint32_t            depth = 0;

	for (; at->up != NULL; at = at->up)
		chain[depth++] = at;
	while (depth > 0) {
		at = chain[--depth];
		buf_add_byte(b, '/');
		if (at->key == NULL)
			buf_add_u64(b, at->index);
		for (const char *c = at->key; c != NULL && *c != '\0'; c++) {
			if (*c == '~')
				buf_add_text(b, "~0");
			else if (*c == '/')
				buf_add_text(b, "~1");
			else
				buf_add_byte(b, *c);
		}
	}
}

static char *pointer_of(const struct place *at, const char *suffix)
{
	struct buf b = { 0 };

	write_place(&b, at);
	buf_add(&b, suffix, strlen(suffix) + 1);
	if (b.failed != GD_OK)
		buf_close(&b);
	return b.at;
}

void problem_add(struct problem_list *list, const struct place *at, const char *suffix,
                 const char *hint, const char *fmt, ...)
{
	uint32_t             path[PLACE_DEPTH_MAX];
	uint32_t             depth = path_of(at, path);
	uint32_t             i = position_of(list, path, depth);
	char                 message[MESSAGE_CHARS];
	struct load_problem *p;
	va_list              args;

	list->seen++;
	if (i == SPEC_PROBLEMS_MAX) {
		list->out->is_cut = true;
		return;
	}
	va_start(args, fmt);
	(void)vsnprintf(message, sizeof message, fmt, args);
	va_end(args);

	open_gap(list, i);
	memcpy(list->path[i], path, depth * sizeof path[0]);
	list->depth[i] = depth;
	p = &list->out->at[i];
	*p = (struct load_problem){ .pointer = pointer_of(at, suffix), .message = strdup(message) };
	if (hint != NULL && hint[0] != '\0')
		p->hint = strdup(hint);
	if (p->pointer == NULL || p->message == NULL ||
	    (hint != NULL && hint[0] != '\0' && p->hint == NULL))
		list->failed = true;
}

const char *clip(char at[CLIPPED_CHARS], const char *text)
{
	size_t bytes = strlen(text);

	if (bytes < CLIPPED_CHARS) {
		memcpy(at, text, bytes + 1);
		return at;
	}
	bytes = CLIPPED_CHARS - 4;
	/* Not through the middle of a character: those bytes are 10xxxxxx. */
	while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
		bytes--;
	memcpy(at, text, bytes);
	memcpy(at + bytes, "...", 4);
	return at;
}

void hint_did_you_mean(char hint[PROBLEM_HINT_CHARS], const char *best)
{
	hint[0] = '\0';
	if (best != NULL)
		(void)snprintf(hint, PROBLEM_HINT_CHARS, "did you mean \"%s\"?", best);
}
