#include "tests/fuzz/mutate_json.h"

#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define PLACES_MAX 512u
#define TEXT_ROOM 256u

/* Where a value stands: in a list by index, in an object by key; the root in neither. */
struct place {
	json_t     *up;
	const char *key; /* borrowed from `up` */
	size_t      index;
	json_t     *value; /* borrowed */
};

struct places {
	struct place at[PLACES_MAX];
	uint32_t     count;
};

/* Keys of nodes; a member that fits beside another is what byte changes find last. */
static const char *const keys[] = { "sleep",
	                            "sleep_until",
	                            "value",
	                            "set",
	                            "do",
	                            "gather",
	                            "as_completed",
	                            "race",
	                            "task_group",
	                            "await",
	                            "cancel",
	                            "wait",
	                            "shield",
	                            "create_task",
	                            "call",
	                            "async_for",
	                            "yield",
	                            "return",
	                            "try",
	                            "raise",
	                            "match",
	                            "for",
	                            "in",
	                            "limit",
	                            "while",
	                            "as",
	                            "name",
	                            "if",
	                            "else",
	                            "timeout",
	                            "retry",
	                            "after",
	                            "undo",
	                            "with",
	                            "except",
	                            "finally",
	                            "return_exceptions",
	                            "result",
	                            "message",
	                            "args",
	                            "def",
	                            "params",
	                            "case",
	                            "return_when",
	                            "until",
	                            "loop",
	                            "title",
	                            "events",
	                            "gatherd",
	                            "*",
	                            "CancelledError",
	                            "attempts" };

static const char *const texts[] = { "",       "x",          "${x}",  "${[x]}", "${n}",
	                             "1s",     "${error}",   "-1",    "f",      "${range(3)}",
	                             "${now}", "${1/0}",     "$${x}", "*",      "CancelledError",
	                             "${t}",   "\xc3\xa9~/", "all",   "success" };

static const double numbers[] = { 0, -1, 1, 2, 0.001, 1e-9, 1e308, 60 };

json_t *mutate_json_read(const uint8_t *data, size_t size, size_t *used)
{
	json_error_t where;
	json_t      *json = json_loadb((const char *)data, size,
	                               JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &where);

	*used = json == NULL ? 0 : (size_t)where.position;
	return json;
}

/* --- places --- */

static void note(struct places *p, json_t *up, const char *key, size_t index, json_t *value)
{
	const char *member;
	json_t     *item;
	size_t      i;

	if (p->count == PLACES_MAX)
		return;
	p->at[p->count++] = (struct place){ up, key, index, value };
	json_array_foreach (value, i, item)
		note(p, value, NULL, i, item);
	json_object_foreach (value, member, item)
		note(p, value, member, 0, item);
}

static const struct place *any_place(struct mutator *m, const struct places *p)
{
	return &p->at[mutate_below(m, p->count)];
}

/* `value` is taken. */
static void put(json_t **root, const struct place *at, json_t *value)
{
	if (at->up == NULL) {
		json_decref(*root);
		*root = value;
	} else if (at->key != NULL) {
		(void)json_object_set_new(at->up, at->key, value);
	} else {
		(void)json_array_set_new(at->up, at->index, value);
	}
}

/* --- changes --- */

static json_t *edge(struct mutator *m)
{
	switch (mutate_below(m, 8)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(mutate_below(m, 2));
	case 2:
		return json_integer(mutate_below(m, 2) == 0 ? INT64_MAX : INT64_MIN);
	case 3:
		return json_real(numbers[mutate_below(m, COUNT_OF(numbers))]);
	case 4:
		return json_integer(mutate_below(m, 5));
	default:
		return json_string(texts[mutate_below(m, COUNT_OF(texts))]);
	}
}

static json_t *any_value(struct mutator *m, const struct places *p)
{
	return mutate_below(m, 3) == 0 ? edge(m) : json_deep_copy(any_place(m, p)->value);
}

static const char *any_key(struct mutator *m)
{
	return keys[mutate_below(m, COUNT_OF(keys))];
}

static void wrap(struct mutator *m, json_t **root, const struct place *at)
{
	json_t *inner = json_deep_copy(at->value);

	put(root, at,
	    mutate_below(m, 2) == 0 ? json_pack("[o]", inner)
	                            : json_pack("{so}", any_key(m), inner));
}

static void take_away(const struct place *at)
{
	if (at->up == NULL)
		return;
	if (at->key != NULL)
		(void)json_object_del(at->up, at->key);
	else
		(void)json_array_remove(at->up, at->index);
}

/* One more member of an object, or element of a list. */
static void add_to(struct mutator *m, const struct places *p, const struct place *at)
{
	json_t *value = any_value(m, p);
	size_t  index;

	if (json_is_object(at->value)) {
		(void)json_object_set_new(at->value, any_key(m), value);
	} else if (json_is_array(at->value)) {
		index = mutate_below(m, (uint32_t)json_array_size(at->value) + 1);
		(void)json_array_insert_new(at->value, index, value);
	} else {
		json_decref(value);
	}
}

static void rename_key(struct mutator *m, const struct place *at)
{
	if (at->key == NULL)
		return;
	(void)json_object_set(at->up, any_key(m), at->value);
	(void)json_object_del(at->up, at->key);
}

/* The inside of a text, by bytes; it stays as it was where that breaks its UTF-8. */
static void change_text(json_t **root, const struct place *at)
{
	uint8_t text[TEXT_ROOM];
	size_t  bytes = json_string_length(at->value);
	json_t *changed;

	if (!json_is_string(at->value) || bytes > sizeof text)
		return;
	memcpy(text, json_string_value(at->value), bytes);
	bytes = LLVMFuzzerMutate(text, bytes, sizeof text);
	changed = json_stringn((const char *)text, bytes);
	if (changed != NULL)
		put(root, at, changed);
}

static void change(struct mutator *m, json_t **root)
{
	struct places       p = { .count = 0 };
	const struct place *at;

	note(&p, NULL, NULL, 0, *root);
	at = any_place(m, &p);
	switch (mutate_below(m, 8)) {
	case 0:
		put(root, at, any_value(m, &p));
		return;
	case 1:
		put(root, at, edge(m));
		return;
	case 2:
		wrap(m, root, at);
		return;
	case 3:
		take_away(at);
		return;
	case 4:
		rename_key(m, at);
		return;
	case 5:
		change_text(root, at);
		return;
	default:
		add_to(m, &p, at);
	}
}

/* --- back to text --- */

/* `root` and what follows it; 0 when it does not fit. */
static size_t write_out(json_t *root, const uint8_t *rest, size_t rest_size, uint8_t *out,
                        size_t room)
{
	size_t bytes = json_dumpb(root, (char *)out, room, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(root);
	if (bytes == 0 || bytes > room)
		return 0;
	if (rest_size > room - bytes)
		rest_size = room - bytes;
	memcpy(out + bytes, rest, rest_size);
	return bytes + rest_size;
}

size_t mutate_json(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct mutator m = { .state = seed };
	uint8_t        out[FUZZ_BYTES_MAX];
	size_t         room = max_size < sizeof out ? max_size : sizeof out;
	size_t         used;
	json_t        *root = mutate_json_read(data, size, &used);
	uint8_t        script[64];
	size_t         count = size - used < sizeof script ? size - used : sizeof script;

	if (root == NULL)
		return LLVMFuzzerMutate(data, size, max_size);
	memcpy(script, data + used, count);
	if (mutate_below(&m, 8) == 0)
		count = LLVMFuzzerMutate(script, count, sizeof script);
	else
		change(&m, &root);
	used = write_out(root, script, count, out, room);
	if (used == 0)
		return size;
	memcpy(data, out, used);
	return used;
}

size_t mutate_json_graft(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                         uint8_t *out, size_t max_size, unsigned seed)
{
	struct mutator m = { .state = seed };
	struct places  to = { .count = 0 };
	struct places  from = { .count = 0 };
	size_t         a_used, b_used;
	json_t        *root = mutate_json_read(a, a_size, &a_used);
	json_t        *other = mutate_json_read(b, b_size, &b_used);

	if (root == NULL || other == NULL) {
		json_decref(root);
		json_decref(other);
		return 0;
	}
	note(&to, NULL, NULL, 0, root);
	note(&from, NULL, NULL, 0, other);
	put(&root, any_place(&m, &to), json_deep_copy(any_place(&m, &from)->value));
	json_decref(other);
	return write_out(root, a + a_used, a_size - a_used, out, max_size);
}
