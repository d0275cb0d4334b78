#include "proto/rpc.h"

#include "proto/base/check.h"
#include "proto/base/moment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PARAM_NAME_QUOTED 48           /* characters of an unknown name that an error repeats */
#define MOMENT_SECONDS_MAX 9000000000u /* early in 2255: fits a gd_nsec with room to spare */

void rpc_params_init(struct rpc_params *p, const json_t *params)
{
	*p = (struct rpc_params){ 0 };
	if (params == NULL || json_is_object(params))
		p->object = params;
	else
		rpc_fault(p, "", "params are an object, by name");
	p->known[p->known_count++] = RPC_PARAM_AUTH;
}

void rpc_fault(struct rpc_params *p, const char *pointer, const char *fmt, ...)
{
	va_list args;

	if (p->fault.code != GD_OK)
		return;
	p->fault.code = GD_INVALID_PARAMS;
	va_start(args, fmt);
	(void)vsnprintf(p->fault.text, sizeof p->fault.text, fmt, args);
	va_end(args);
	(void)snprintf(p->pointer, sizeof p->pointer, "%s", pointer);
}

/* A fault of the member `name`, or of its element `index` when that is not negative. */
GD_PRINTF(4, 5)
static void fault_at(struct rpc_params *p, const char *name, int64_t index, const char *fmt, ...)
{
	char    pointer[RPC_POINTER_BYTES_MAX];
	char    words[sizeof p->fault.text];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(words, sizeof words, fmt, args);
	va_end(args);
	if (index < 0) {
		(void)snprintf(pointer, sizeof pointer, "/%s", name);
		rpc_fault(p, pointer, "%s %s", name, words);
	} else {
		(void)snprintf(pointer, sizeof pointer, "/%s/%" PRId64, name, index);
		rpc_fault(p, pointer, "%s[%" PRId64 "] %s", name, index, words);
	}
}

/* Notes that `name` is known, if it is there; its value, or NULL when it is absent or null. */
static const json_t *look_up(struct rpc_params *p, const char *name)
{
	const json_t *value = json_object_get(p->object, name);

	if (value == NULL)
		return NULL;
	for (uint32_t i = 0; i < p->known_count; i++) {
		if (strcmp(p->known[i], name) == 0)
			return json_is_null(value) ? NULL : value;
	}
	CHECK(p->known_count < RPC_PARAMS_MAX);
	p->known[p->known_count++] = name;
	return json_is_null(value) ? NULL : value;
}

void rpc_require(struct rpc_params *p, const char *name)
{
	if (look_up(p, name) == NULL)
		fault_at(p, name, -1, "is missing");
}

/* --- one value, of a member or of an element --- */

static bool take_text(struct rpc_params *p, const char *name, int64_t index, const json_t *value,
                      size_t bytes_max, const char **out)
{
	if (!json_is_string(value)) {
		fault_at(p, name, index, "is not a text");
		return false;
	}
	if (json_string_length(value) == 0 || json_string_length(value) > bytes_max) {
		fault_at(p, name, index, "has %zu bytes, not 1 to %zu", json_string_length(value),
		         bytes_max);
		return false;
	}
	*out = json_string_value(value);
	return true;
}

static bool take_i64(struct rpc_params *p, const char *name, int64_t index, const json_t *value,
                     int64_t min, int64_t max, int64_t *out)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value)) {
		fault_at(p, name, index, "is not a whole number");
		return false;
	}
	if (number < min || number > max) {
		fault_at(p, name, index,
		         "is %" JSON_INTEGER_FORMAT ", not between %" PRId64 " and %" PRId64,
		         number, min, max);
		return false;
	}
	*out = number;
	return true;
}

static bool take_u64(struct rpc_params *p, const char *name, int64_t index, const json_t *value,
                     uint64_t min, uint64_t max, uint64_t *out)
{
	int64_t number = 0;
	int64_t top =
		max > INT64_MAX ? INT64_MAX : (int64_t)max; /* JSON has no more than that here */

	CHECK(min <= INT64_MAX);
	if (!take_i64(p, name, index, value, (int64_t)min, top, &number))
		return false;
	*out = (uint64_t)number;
	return true;
}

static bool take_choice(struct rpc_params *p, const char *name, int64_t index, const json_t *value,
                        const char *const *choices, uint32_t *out)
{
	char   all[160];
	size_t used = 0;

	for (uint32_t i = 0; json_is_string(value) && choices[i] != NULL; i++) {
		if (strcmp(choices[i], json_string_value(value)) == 0) {
			*out = i;
			return true;
		}
	}
	all[0] = '\0';
	for (uint32_t i = 0; choices[i] != NULL && used < sizeof all; i++)
		used += (size_t)snprintf(all + used, sizeof all - used, i == 0 ? "%s" : ", %s",
		                         choices[i]);
	fault_at(p, name, index, "is none of: %s", all);
	return false;
}

/* --- members --- */

bool rpc_text(struct rpc_params *p, const char *name, size_t bytes_max, const char **out)
{
	const json_t *value = look_up(p, name);

	return value != NULL && take_text(p, name, -1, value, bytes_max, out);
}

bool rpc_bool(struct rpc_params *p, const char *name, bool *out)
{
	const json_t *value = look_up(p, name);

	if (value == NULL)
		return false;
	if (!json_is_boolean(value)) {
		fault_at(p, name, -1, "is not true or false");
		return false;
	}
	*out = json_is_true(value);
	return true;
}

bool rpc_u64(struct rpc_params *p, const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
	const json_t *value = look_up(p, name);

	return value != NULL && take_u64(p, name, -1, value, min, max, out);
}

bool rpc_u32(struct rpc_params *p, const char *name, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t wide = 0;

	if (!rpc_u64(p, name, min, max, &wide))
		return false;
	*out = (uint32_t)wide;
	return true;
}

/* `seconds` is finite, small enough and not negative. Whole seconds and the rest apart: a double has
 * room for both only one at a time. */
static gd_nsec nsec_of(double seconds)
{
	gd_nsec whole = (gd_nsec)seconds;

	return whole * GD_NSEC_PER_SEC +
	       (gd_nsec)((seconds - (double)whole) * (double)GD_NSEC_PER_SEC);
}

bool rpc_seconds(struct rpc_params *p, const char *name, uint32_t seconds_max, gd_nsec *out)
{
	const json_t *value = look_up(p, name);
	double        seconds = json_number_value(value);

	if (value == NULL)
		return false;
	if (!json_is_number(value)) {
		fault_at(p, name, -1, "is not a number of seconds");
		return false;
	}
	if (!(seconds >= 0 && seconds <= seconds_max)) {
		fault_at(p, name, -1, "is not between 0 and %" PRIu32 " seconds", seconds_max);
		return false;
	}
	*out = nsec_of(seconds);
	return true;
}

bool rpc_moment(struct rpc_params *p, const char *name, gd_nsec *out)
{
	const json_t *value = look_up(p, name);
	double        seconds = json_number_value(value);

	if (value == NULL)
		return false;
	if (json_is_number(value) && seconds >= 0 && seconds <= MOMENT_SECONDS_MAX) {
		*out = nsec_of(seconds);
		return true;
	}
	if (json_is_string(value) && moment_read(json_string_value(value), out))
		return true;
	fault_at(p, name, -1,
	         "is not a moment: seconds since the epoch, or such as 2030-01-31T09:00:00Z");
	return false;
}

bool rpc_choice(struct rpc_params *p, const char *name, const char *const *choices, uint32_t *out)
{
	const json_t *value = look_up(p, name);

	return value != NULL && take_choice(p, name, -1, value, choices, out);
}

bool rpc_choices(struct rpc_params *p, const char *name, const char *const *choices, uint32_t *out)
{
	const json_t *value = look_up(p, name);
	uint32_t      bits = 0;
	uint32_t      index = 0;

	if (value == NULL)
		return false;
	if (!json_is_array(value)) {
		if (!take_choice(p, name, -1, value, choices, &index))
			return false;
		*out = UINT32_C(1) << index;
		return true;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (!take_choice(p, name, (int64_t)i, json_array_get(value, i), choices, &index))
			return false;
		CHECK(index < 32);
		bits |= UINT32_C(1) << index;
	}
	*out = bits;
	return true;
}

/* The list `name` if it is there and has `min` to `max` elements. */
static const json_t *look_up_list(struct rpc_params *p, const char *name, size_t min, size_t max)
{
	const json_t *value = look_up(p, name);
	size_t        count = json_array_size(value);

	if (value == NULL)
		return NULL;
	if (!json_is_array(value)) {
		fault_at(p, name, -1, "is not a list");
		return NULL;
	}
	if (count < min || count > max) {
		fault_at(p, name, -1, "has %zu elements, not %zu to %zu", count, min, max);
		return NULL;
	}
	return value;
}

bool rpc_u64_list(struct rpc_params *p, const char *name, uint64_t min, uint64_t max,
                  uint32_t count_max, uint64_t *out, uint32_t *count)
{
	const json_t *list = look_up_list(p, name, 1, count_max);

	if (list == NULL)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!take_u64(p, name, (int64_t)i, json_array_get(list, i), min, max, &out[i]))
			return false;
	}
	*count = (uint32_t)json_array_size(list);
	return true;
}

bool rpc_text_list(struct rpc_params *p, const char *name, size_t bytes_max, uint32_t count_max,
                   const char **out, uint32_t *count)
{
	const json_t *list;

	CHECK(count_max > 0);
	if (json_is_string(json_object_get(p->object, name))) {
		if (!rpc_text(p, name, bytes_max, &out[0]))
			return false;
		*count = 1;
		return true;
	}
	list = look_up_list(p, name, 0, count_max);
	if (list == NULL)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!take_text(p, name, (int64_t)i, json_array_get(list, i), bytes_max, &out[i]))
			return false;
	}
	*count = (uint32_t)json_array_size(list);
	return true;
}

bool rpc_object(struct rpc_params *p, const char *name, const json_t **out)
{
	const json_t *value = look_up(p, name);

	if (value == NULL)
		return false;
	if (!json_is_object(value)) {
		fault_at(p, name, -1, "is not an object");
		return false;
	}
	*out = value;
	return true;
}

bool rpc_list(struct rpc_params *p, const char *name, uint32_t count_max, const json_t **out)
{
	const json_t *list = look_up_list(p, name, 0, count_max);

	if (list == NULL)
		return false;
	*out = list;
	return true;
}

bool rpc_any(struct rpc_params *p, const char *name, const json_t **out)
{
	const json_t *value = look_up(p, name);

	if (value == NULL)
		return false;
	*out = value;
	return true;
}

/* RFC 6901: ~ is ~0 and / is ~1. */
static void write_pointer(const char *name, char out[RPC_POINTER_BYTES_MAX])
{
	size_t used = 0;

	out[used++] = '/';
	for (; *name != '\0' && used + 3 < RPC_POINTER_BYTES_MAX; name++) {
		if (*name == '~' || *name == '/') {
			out[used++] = '~';
			out[used++] = *name == '~' ? '0' : '1';
		} else {
			out[used++] = *name;
		}
	}
	/* A name that was cut must not end inside a code point. */
	for (; (*name & 0xc0) == 0x80 && used > 1; name--)
		used--;
	out[used] = '\0';
}

static bool is_known(const struct rpc_params *p, const char *name)
{
	for (uint32_t i = 0; i < p->known_count; i++) {
		if (strcmp(p->known[i], name) == 0)
			return true;
	}
	return false;
}

enum gd_err rpc_params_end(struct rpc_params *p, struct gd_error *why)
{
	char        pointer[RPC_POINTER_BYTES_MAX];
	const char *key;
	json_t     *value;

	json_object_foreach ((json_t *)p->object, key, value) {
		if (is_known(p, key))
			continue;
		write_pointer(key, pointer);
		rpc_fault(p, pointer, "\"%.*s\" is no parameter of this method", PARAM_NAME_QUOTED,
		          key);
		break;
	}
	if (p->fault.code != GD_OK && why != NULL)
		*why = p->fault;
	return p->fault.code;
}

void rpc_write_bad_params(struct buf *b, const char *id, const struct rpc_params *p)
{
	struct buf data;

	buf_init(&data, 0);
	buf_add_text(&data, "\"pointer\":");
	buf_add_json_string(&data, p->pointer, strlen(p->pointer));
	buf_add_byte(&data, '\0');
	if (data.failed == GD_OK)
		rpc_write_error(b, id, p->fault.code, p->fault.text, data.at);
	else
		rpc_write_error(b, id, GD_NOMEM, "no memory for the words", NULL);
	buf_close(&data);
}
