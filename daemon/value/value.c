#include "daemon/value/value.h"

#include "daemon/value/sip_hash.h"
#include "proto/base/check.h"

#include <stdlib.h>

#define LIST_FIRST_ROOM 4
#define DICT_INDEX_FROM 16 /* fewer keys are searched one by one */
#define COUNT_MAX (UINT32_C(1) << 27)

/* --- words --- */

enum value_type value_type(struct value v)
{
	if (value_is_float(v))
		return VALUE_T_FLOAT;
	switch (v.bits & VALUE_TAG_MASK) {
	case VALUE_TAG_NULL:
		return VALUE_T_NULL;
	case VALUE_TAG_BOOL:
		return VALUE_T_BOOL;
	case VALUE_TAG_INT:
		return VALUE_T_INT;
	case VALUE_TAG_OBJ:
		if (value_obj(v)->type == VALUE_T_BIGINT)
			return VALUE_T_INT;
		return (enum value_type)value_obj(v)->type;
	default:
		return VALUE_T_NONE;
	}
}

static struct vbigint *bigint_of(struct value v)
{
	return (struct vbigint *)(void *)value_obj(v);
}

int64_t value_as_int(struct value v)
{
	if (value_is_int48(v))
		return value_int48(v);
	CHECK(value_is_type(v, VALUE_T_BIGINT));
	return bigint_of(v)->number;
}

/* --- memory --- */

static uint32_t index_room(uint32_t room)
{
	uint32_t size = 2 * DICT_INDEX_FROM;

	while (size < 2 * room)
		size *= 2;
	return size;
}

static size_t object_bytes(const struct vobj *obj)
{
	switch ((enum value_type)obj->type) {
	case VALUE_T_TEXT:
		return sizeof(struct vtext) + ((const struct vtext *)(const void *)obj)->bytes + 1;
	case VALUE_T_LIST:
		return sizeof(struct vlist) +
		       ((const struct vlist *)(const void *)obj)->room * sizeof(struct value);
	case VALUE_T_DICT: {
		const struct vdict *d = (const void *)obj;

		return sizeof *d + d->room * sizeof d->at[0] +
		       (d->index == NULL ? 0 : index_room(d->room) * sizeof d->index[0]);
	}
	case VALUE_T_BIGINT:
		return sizeof(struct vbigint);
	case VALUE_T_RANGE:
		return sizeof(struct vrange);
	case VALUE_T_NONE:
	case VALUE_T_NULL:
	case VALUE_T_BOOL:
	case VALUE_T_INT:
	case VALUE_T_FLOAT:
	case VALUE_T_TASK:
	case VALUE_T_JOIN:
	case VALUE_T_WAITER:
	case VALUE_T_TIMEOUT:
	case VALUE_T_GENERATOR:
	case VALUE_T_UNDO:
	case VALUE_T_PERMIT:
	case VALUE_T_EXEC:
	case VALUE_T_EVENT:
	case VALUE_T_EVENT_WAIT:
	case VALUE_T_CHILD:
		break;
	}
	CHECK_NEVER("object_bytes: not an object of this module");
}

static void *object_new(struct value_heap *h, enum value_type type, size_t bytes)
{
	struct vobj *obj = malloc(bytes);

	if (obj == NULL) {
		h->failed = true;
		return NULL;
	}
	h->bytes += bytes;
	*obj = (struct vobj){ .refs = 1, .type = (uint8_t)type };
	return obj;
}

static void object_free(struct value_heap *h, struct vobj *obj)
{
	h->bytes -= object_bytes(obj);
	if (obj->type == VALUE_T_DICT)
		free(((struct vdict *)(void *)obj)->index);
	free(obj);
}

/* --- counting --- */

/* Takes the last item out of a dying list or dict and puts `link` in its place. */
static struct value swap_last(struct value_heap *h, struct vobj *obj, struct value link)
{
	struct value item;

	if (obj->type == VALUE_T_LIST) {
		struct vlist *list = (void *)obj;

		item = list->at[--list->count];
		list->at[list->count] = link;
	} else {
		struct vdict *dict = (void *)obj;
		struct vpair *last = &dict->at[--dict->count];

		value_release(h, last->key); /* text: nothing follows from it */
		item = last->value;
		last->value = link;
	}
	return item;
}

static uint32_t item_count(const struct vobj *obj)
{
	return obj->type == VALUE_T_LIST ? ((const struct vlist *)(const void *)obj)->count
	                                 : ((const struct vdict *)(const void *)obj)->count;
}

static struct value link_of(const struct vobj *obj)
{
	uint32_t count = item_count(obj);

	return obj->type == VALUE_T_LIST
	               ? ((const struct vlist *)(const void *)obj)->at[count]
	               : ((const struct vdict *)(const void *)obj)->at[count].value;
}

/* Drops one reference. True when that leaves a list or dict with items to drop in their turn. */
static bool drop(struct value_heap *h, struct vobj *obj)
{
	if (obj->refs == VALUE_IMMORTAL)
		return false;
	CHECK(obj->refs > 0);
	if (--obj->refs > 0)
		return false;
	if (obj->type > VALUE_T_RANGE) {
		h->free_object(h, obj);
		return false;
	}
	if ((obj->type == VALUE_T_LIST || obj->type == VALUE_T_DICT) && item_count(obj) > 0)
		return true;
	object_free(h, obj);
	return false;
}

/* A job can nest lists as deep as its memory reaches, so this must not recurse. The dying form a
 * chain: each keeps the word of the one outside it where its last item was. */
void value_release_obj(struct value_heap *h, struct vobj *obj)
{
	struct value top, item;

	if (!drop(h, obj))
		return;
	item = swap_last(h, obj, VALUE_NONE);
	top = value_of_obj(obj);
	while (!value_is_none(top)) {
		struct vobj *now = value_obj(top);

		if (value_is_obj(item) && drop(h, value_obj(item))) {
			now = value_obj(item);
			item = swap_last(h, now, top);
			top = value_of_obj(now);
		} else if (item_count(now) > 0) {
			item = swap_last(h, now, link_of(now));
		} else {
			top = link_of(now);
			item = VALUE_NONE;
			object_free(h, now);
		}
	}
}

void value_make_immortal(struct value_heap *h, struct value v)
{
	if (!value_is_obj(v) || value_obj(v)->refs == VALUE_IMMORTAL)
		return;
	CHECK(value_obj(v)->refs == 1);
	h->bytes -= object_bytes(value_obj(v));
	value_obj(v)->refs = VALUE_IMMORTAL;
	if (value_is_type(v, VALUE_T_LIST)) {
		for (uint32_t i = 0; i < value_list(v)->count; i++)
			value_make_immortal(h, value_list(v)->at[i]);
	} else if (value_is_type(v, VALUE_T_DICT)) {
		for (uint32_t i = 0; i < value_dict(v)->count; i++) {
			value_make_immortal(h, value_dict(v)->at[i].key);
			value_make_immortal(h, value_dict(v)->at[i].value);
		}
	}
}

void value_destroy_immortal(struct value v)
{
	if (!value_is_obj(v))
		return;
	CHECK(value_obj(v)->refs == VALUE_IMMORTAL);
	if (value_is_type(v, VALUE_T_LIST)) {
		for (uint32_t i = 0; i < value_list(v)->count; i++)
			value_destroy_immortal(value_list(v)->at[i]);
	} else if (value_is_type(v, VALUE_T_DICT)) {
		for (uint32_t i = 0; i < value_dict(v)->count; i++) {
			value_destroy_immortal(value_dict(v)->at[i].key);
			value_destroy_immortal(value_dict(v)->at[i].value);
		}
		free(value_dict(v)->index);
	}
	free(value_obj(v));
}

/* --- constructors --- */

struct value value_int(struct value_heap *h, int64_t number)
{
	struct vbigint *big;

	if (number >= VALUE_INT48_MIN && number <= VALUE_INT48_MAX)
		return (struct value){ VALUE_TAG_INT | ((uint64_t)number & VALUE_PAYLOAD_MASK) };
	big = object_new(h, VALUE_T_BIGINT, sizeof *big);
	if (big == NULL)
		return VALUE_NONE;
	big->number = number;
	return value_of_obj(big);
}

struct value value_text_new(struct value_heap *h, const char *bytes, size_t count)
{
	struct vtext *text;
	uint32_t      chars = 0;

	if (count > UINT32_MAX / 2) {
		h->failed = true;
		return VALUE_NONE;
	}
	text = object_new(h, VALUE_T_TEXT, sizeof *text + count + 1);
	if (text == NULL)
		return VALUE_NONE;
	for (size_t i = 0; i < count; i++)
		chars += ((unsigned char)bytes[i] & 0xc0) != 0x80;
	text->bytes = (uint32_t)count;
	text->chars = chars;
	if (count > 0)
		memcpy(text->at, bytes, count);
	text->at[count] = '\0';
	return value_of_obj(text);
}

struct value value_range_new(struct value_heap *h, int64_t first, int64_t step, uint32_t count)
{
	struct vrange *range = object_new(h, VALUE_T_RANGE, sizeof *range);

	if (range == NULL)
		return VALUE_NONE;
	range->first = first;
	range->step = step;
	range->count = count;
	return value_of_obj(range);
}

struct value value_list_new(struct value_heap *h, uint32_t room)
{
	struct vlist *list;

	if (room > COUNT_MAX) {
		h->failed = true;
		return VALUE_NONE;
	}
	list = object_new(h, VALUE_T_LIST, sizeof *list + room * sizeof list->at[0]);
	if (list == NULL)
		return VALUE_NONE;
	list->count = 0;
	list->room = room;
	return value_of_obj(list);
}

struct value value_dict_new(struct value_heap *h, uint32_t room)
{
	struct vdict *dict;

	if (room > COUNT_MAX) {
		h->failed = true;
		return VALUE_NONE;
	}
	dict = object_new(h, VALUE_T_DICT, sizeof *dict + room * sizeof dict->at[0]);
	if (dict == NULL)
		return VALUE_NONE;
	dict->count = 0;
	dict->room = room;
	dict->index = NULL;
	dict->seed = h->hash_seed;
	return value_of_obj(dict);
}

/* A larger copy of a full list or dict with one reference; NULL when memory ends, and then `obj`
 * is unchanged. A dict comes without its index. */
static void *grow(struct value_heap *h, struct vobj *obj, uint32_t count, size_t head, size_t each)
{
	uint32_t     room = count < LIST_FIRST_ROOM ? LIST_FIRST_ROOM : count * 2;
	struct vobj *larger;

	CHECK(obj->refs == 1);
	larger = count >= COUNT_MAX / 2 ? NULL : realloc(obj, head + room * each);
	if (larger == NULL) {
		h->failed = true;
		return NULL;
	}
	h->bytes += (room - count) * each;
	return larger;
}

struct value value_list_append(struct value_heap *h, struct value list, struct value item)
{
	struct vlist *l;

	if (value_is_none(list)) {
		value_release(h, item);
		return list;
	}
	l = value_list(list);
	CHECK(l->obj.refs == 1);
	if (l->count == l->room) {
		l = grow(h, &l->obj, l->count, sizeof *l, sizeof l->at[0]);
		if (l == NULL) {
			value_release(h, item);
			value_release(h, list);
			return VALUE_NONE;
		}
		l->room = l->count < LIST_FIRST_ROOM ? LIST_FIRST_ROOM : l->count * 2;
	}
	l->at[l->count++] = item;
	return value_of_obj(l);
}

/* --- dicts --- */

static bool is_key(const struct vpair *pair, const char *key, size_t bytes)
{
	const struct vtext *text = value_text(pair->key);

	return text->bytes == bytes && memcmp(text->at, key, bytes) == 0;
}

/* The cell of the index that has the key, or the free one where it would go. Cells count from 1. */
static uint32_t *find_cell(struct vdict *d, const char *key, size_t bytes)
{
	uint32_t mask = index_room(d->room) - 1;
	uint32_t cell = (uint32_t)sip_hash(d->seed, key, bytes) & mask;

	while (d->index[cell] != 0 && !is_key(&d->at[d->index[cell] - 1], key, bytes))
		cell = (cell + 1) & mask;
	return &d->index[cell];
}

static struct vpair *find_pair(struct vdict *d, const char *key, size_t bytes)
{
	if (d->index != NULL) {
		uint32_t cell = *find_cell(d, key, bytes);

		return cell == 0 ? NULL : &d->at[cell - 1];
	}
	for (uint32_t i = 0; i < d->count; i++)
		if (is_key(&d->at[i], key, bytes))
			return &d->at[i];
	return NULL;
}

struct value value_dict_get(struct value dict, const char *key, size_t bytes)
{
	struct vpair *pair = find_pair(value_dict(dict), key, bytes);

	return pair == NULL ? VALUE_NONE : pair->value;
}

static bool make_index(struct value_heap *h, struct vdict *d)
{
	uint32_t size = index_room(d->room);

	d->index = calloc(size, sizeof d->index[0]);
	if (d->index == NULL) {
		h->failed = true;
		return false;
	}
	h->bytes += size * sizeof d->index[0];
	for (uint32_t i = 0; i < d->count; i++) {
		struct vtext *key = value_text(d->at[i].key);

		*find_cell(d, key->at, key->bytes) = i + 1;
	}
	return true;
}

/* Room for one more pair, and an index where the dict is large. On false the dict is as before, but
 * perhaps without its index. */
static bool dict_reserve(struct value_heap *h, struct vdict **dict)
{
	struct vdict *d = *dict;

	if (d->count == d->room) {
		if (d->index != NULL)
			h->bytes -= index_room(d->room) * sizeof d->index[0];
		free(d->index);
		d->index = NULL;
		d = grow(h, &d->obj, d->count, sizeof *d, sizeof d->at[0]);
		if (d == NULL)
			return false;
		d->room = d->count < LIST_FIRST_ROOM ? LIST_FIRST_ROOM : d->count * 2;
		*dict = d;
	}
	return d->index != NULL || d->count < DICT_INDEX_FROM || make_index(h, d);
}

static struct value put_failed(struct value_heap *h, struct value dict, struct value key,
                               struct value item)
{
	h->failed = true; /* also for a key that could not be made */
	value_release(h, key);
	value_release(h, item);
	value_release(h, dict);
	return VALUE_NONE;
}

struct value value_dict_put(struct value_heap *h, struct value dict, struct value key,
                            struct value item)
{
	struct vdict *d;
	struct vpair *old;
	struct vtext *text;

	if (value_is_none(dict) || value_is_none(key))
		return put_failed(h, dict, key, item);
	d = value_dict(dict);
	text = value_text(key);
	CHECK(d->obj.refs == 1);
	old = find_pair(d, text->at, text->bytes);
	if (old != NULL) {
		value_release(h, key);
		value_release(h, old->value);
		old->value = item;
		return dict;
	}
	if (!dict_reserve(h, &d))
		return put_failed(h, value_of_obj(d), key, item);
	d->at[d->count++] = (struct vpair){ key, item };
	if (d->index != NULL)
		*find_cell(d, text->at, text->bytes) = d->count;
	return value_of_obj(d);
}
