/*
 * value.h - immutable values of the job language, eight bytes each.
 *
 * A value is one 64-bit word: a double, a small integer, a boolean, null, or a pointer to a
 * counted object (text, list, dict, large integer, range, or an engine object such as a task).
 * The tags use patterns that only negative NaNs would have, and no value is ever a NaN.
 *
 * Ownership: functions named value_*_new and those that say so return a new reference; releasing
 * the last one frees the object. Constants of a program are immortal: their count is
 * VALUE_IMMORTAL and never changes, so a program may be shared between threads; they are freed
 * with value_destroy_immortal() by the program. All other values belong to one engine.
 *
 * Memory: a struct value_heap counts the bytes that live values hold and remembers a failure.
 * When memory ends, constructors return VALUE_NONE and set `failed`; callers may carry on and
 * look once at the end.
 *
 * Threads: none. Order: dicts keep insertion order; nothing here depends on addresses or hashes.
 */
#ifndef GATHERD_VALUE_VALUE_H
#define GATHERD_VALUE_VALUE_H

#include "proto/base/buf.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct value {
	uint64_t bits;
};

enum value_type {
	VALUE_T_NONE, /* no value: an empty slot */
	VALUE_T_NULL,
	VALUE_T_BOOL,
	VALUE_T_INT,
	VALUE_T_FLOAT,
	/* From here on: objects. The first three are data; the rest never reach JSON. */
	VALUE_T_TEXT,
	VALUE_T_LIST,
	VALUE_T_DICT,
	VALUE_T_BIGINT, /* reported as VALUE_T_INT by value_type() */
	VALUE_T_RANGE,
	VALUE_T_TASK, /* a handle: the task itself, counted */
	VALUE_T_JOIN, /* engine objects from here on: see coro.h */
	VALUE_T_WAITER,
	VALUE_T_TIMEOUT,
	VALUE_T_GENERATOR,
	VALUE_T_UNDO,
	VALUE_T_PERMIT,
	VALUE_T_EXEC,
	VALUE_T_EVENT,
	VALUE_T_EVENT_WAIT,
	VALUE_T_CHILD
};

#define VALUE_IMMORTAL UINT32_MAX
#define VALUE_DEPTH_MAX 200 /* lists and dicts inside each other, for what reads a whole tree */

/* First member of everything a value may point to. */
struct vobj {
	uint32_t refs;
	uint8_t  type;  /* enum value_type, >= VALUE_T_TEXT */
	uint8_t  flags; /* for the owner of the type */
	uint8_t  state; /* for the owner of the type */
	uint8_t  unused;
};

struct vtext {
	struct vobj obj;
	uint32_t    bytes;
	uint32_t    chars; /* code points */
	char        at[];  /* valid UTF-8 with a NUL behind it */
};

struct vlist {
	struct vobj  obj;
	uint32_t     count;
	uint32_t     room;
	struct value at[];
};

struct vpair {
	struct value key; /* text */
	struct value value;
};

struct vdict {
	struct vobj  obj;
	uint32_t     count;
	uint32_t     room;
	uint32_t    *index; /* open addressing over the keys of a large dict; owned */
	uint64_t     seed;  /* of the hashes in `index`: what the heap said when it was made */
	struct vpair at[];
};

struct vbigint {
	struct vobj obj;
	int64_t     number;
};

/* A range(...) that is the whole `in` of a `for`; it never leaves the engine. */
struct vrange {
	struct vobj obj;
	int64_t     first;
	int64_t     step;
	uint32_t    count;
};

struct value_heap {
	size_t   bytes;  /* held by live values; immortal ones are not counted */
	bool     failed; /* an allocation failed since the owner last cleared this */
	/* Any number that strangers cannot guess, so that they cannot choose keys that collide. It
	 * decides nothing that can be seen; 0 is allowed. */
	uint64_t hash_seed;
	/* How to free an object above VALUE_T_RANGE when its last reference goes; set by the engine. */
	void (*free_object)(struct value_heap *h, struct vobj *obj);
};

/* --- words --- */

#define VALUE_TAG_NULL UINT64_C(0xfff9000000000000)
#define VALUE_TAG_BOOL UINT64_C(0xfffa000000000000)
#define VALUE_TAG_INT UINT64_C(0xfffb000000000000)
#define VALUE_TAG_OBJ UINT64_C(0xfffc000000000000)
#define VALUE_TAG_NONE UINT64_C(0xfffd000000000000)
#define VALUE_TAG_MASK UINT64_C(0xffff000000000000)
#define VALUE_PAYLOAD_MASK UINT64_C(0x0000ffffffffffff)
#define VALUE_INT48_MIN (-(INT64_C(1) << 47))
#define VALUE_INT48_MAX ((INT64_C(1) << 47) - 1)

#define VALUE_NONE ((struct value){ VALUE_TAG_NONE })
#define VALUE_NULL ((struct value){ VALUE_TAG_NULL })

static inline bool value_is_none(struct value v)
{
	return v.bits == VALUE_TAG_NONE;
}
static inline bool value_is_null(struct value v)
{
	return v.bits == VALUE_TAG_NULL;
}
static inline bool value_is_float(struct value v)
{
	return v.bits < VALUE_TAG_NULL;
}
static inline bool value_is_obj(struct value v)
{
	return (v.bits & VALUE_TAG_MASK) == VALUE_TAG_OBJ;
}
static inline bool value_is_int48(struct value v)
{
	return (v.bits & VALUE_TAG_MASK) == VALUE_TAG_INT;
}

static inline struct vobj *value_obj(struct value v)
{
	return (struct vobj *)(uintptr_t)(v.bits & VALUE_PAYLOAD_MASK);
}

static inline struct value value_of_obj(const void *obj)
{
	return (struct value){ VALUE_TAG_OBJ | (uint64_t)(uintptr_t)obj };
}

static inline struct value value_bool(bool yes)
{
	return (struct value){ VALUE_TAG_BOOL | (yes ? 1u : 0u) };
}

static inline bool value_as_bool(struct value v)
{
	return (v.bits & 1) != 0;
}

/* `number` must be finite. */
static inline struct value value_float(double number)
{
	struct value v;

	memcpy(&v.bits, &number, sizeof v.bits);
	return v;
}

static inline double value_as_float(struct value v)
{
	double number;

	memcpy(&number, &v.bits, sizeof number);
	return number;
}

/* Any type; VALUE_T_BIGINT is reported as VALUE_T_INT. */
enum value_type    value_type(struct value v);
/* "int", "str", "task handle", ..., "null" also where there is none; static. */
const char        *value_type_name(struct value v);
static inline bool value_is_type(struct value v, enum value_type object_type)
{
	return value_is_obj(v) && value_obj(v)->type == (uint8_t)object_type;
}
int64_t               value_as_int(struct value v); /* of an int of either size */
/* Python's order of two numbers, exact: less than, equal to, greater than 0. */
int                   value_order_numbers(struct value a, struct value b); /* of int, float, bool */
static inline int64_t value_int48(struct value v) /* of a small int or a bool */
{
	return (int64_t)(v.bits << 16) >> 16;
}

/* --- counting --- */

static inline struct value value_retain(struct value v)
{
	if (value_is_obj(v) && value_obj(v)->refs != VALUE_IMMORTAL)
		value_obj(v)->refs++;
	return v;
}

void value_release_obj(struct value_heap *h, struct vobj *obj); /* drops one reference */

static inline void value_release(struct value_heap *h, struct value v)
{
	if (value_is_obj(v))
		value_release_obj(h, value_obj(v));
}

/* Makes a whole fresh tree immortal, or frees an immortal tree. Immortal parts stay as they are and
 * belong to the tree from now on; no part may be in it twice. Immediate values and VALUE_NONE are
 * allowed. */
void value_make_immortal(struct value_heap *h, struct value v);
void value_destroy_immortal(struct value v);

/* --- constructors: new references; VALUE_NONE and h->failed when memory ends --- */

struct value value_int(struct value_heap *h, int64_t number);
struct value value_text_new(struct value_heap *h, const char *bytes,
                            size_t count); /* valid UTF-8 */
struct value value_range_new(struct value_heap *h, int64_t first, int64_t step, uint32_t count);
/* Empty, with room for `room`; grows as needed while it has one reference. */
struct value value_list_new(struct value_heap *h, uint32_t room);
struct value value_dict_new(struct value_heap *h, uint32_t room);
/* Appends to a list with exactly one reference, in place when it has room; the list may move, so
 * the caller stores the returned word. `item` is taken, also on failure; then the list is released
 * too and VALUE_NONE comes back, to which more may be appended in vain. */
struct value value_list_append(struct value_heap *h, struct value list, struct value item);
/* The same for a dict; an equal key is replaced in its place. `key` and `item` are taken. */
struct value value_dict_put(struct value_heap *h, struct value dict, struct value key,
                            struct value item);

/* The whole tree anew, sharing nothing; of what is JSON, and not deep: it recurses. */
struct value value_copy(struct value_heap *h, struct value v);

/* --- reading: borrowed references --- */

static inline struct vtext *value_text(struct value v)
{
	return (struct vtext *)(void *)value_obj(v);
}
static inline struct vlist *value_list(struct value v)
{
	return (struct vlist *)(void *)value_obj(v);
}
static inline struct vdict *value_dict(struct value v)
{
	return (struct vdict *)(void *)value_obj(v);
}
static inline struct vrange *value_range(struct value v)
{
	return (struct vrange *)(void *)value_obj(v);
}

/* The value of a key, or VALUE_NONE. O(1) on average for large dicts. */
struct value value_dict_get(struct value dict, const char *key, size_t bytes);

bool value_is_true(struct value v); /* Python's truth */
/* Python's ==: 1 == 1.0 == true, and an int never equals a float that only rounds to it. Handles
 * and what lies deeper than VALUE_DEPTH_MAX are equal to nothing. O(size). */
bool value_is_equal(struct value a, struct value b);

/* The same JSON: 1 is neither 1.0 nor true. The order of members does not matter. Data alone; it
 * recurses as deep as they are. */
bool value_is_same(struct value a, struct value b);

/* Compact JSON. Floats as Python's repr() gives them. Fails in `b` (its cap, no memory, GD_LIMIT
 * below VALUE_DEPTH_MAX); a handle or range inside must have been refused before. */
void value_write_json(struct buf *b, struct value v);
/* As text inside a longer string: text as it is, everything else as compact JSON. */
void value_write_text(struct buf *b, struct value v);
/* Shortest decimal that reads back as the same double, in the form of Python's repr(). */
void value_write_float(struct buf *b, double number);

#endif
