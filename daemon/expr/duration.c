#include "daemon/expr/duration.h"

#include "proto/base/buf.h"

#include <stdio.h>

#define SHOWN_BYTES_MAX 60
#define FRACTION_DIGITS_MAX 18

struct unit {
	const char *name;
	gd_nsec     length;
};

static const struct unit UNITS[] = {
	{ "d", 86400 * GD_NSEC_PER_SEC },
	{ "h", 3600 * GD_NSEC_PER_SEC },
	{ "m", 60 * GD_NSEC_PER_SEC },
	{ "s", GD_NSEC_PER_SEC },
	{ "ms", GD_NSEC_PER_MSEC },
	{ "us", 1000 },
	{ "ns", 1 },
};

static bool refuse(struct expr_error *why, const char *type, const char *what, struct value v)
{
	struct buf b = { .cap = SHOWN_BYTES_MAX };

	why->type = type;
	value_write_json(&b, v);
	if (b.failed == GD_INVALID_PARAMS)
		(void)snprintf(why->message, sizeof why->message, "%s: a task handle", what);
	else if (b.failed == GD_OK)
		(void)snprintf(why->message, sizeof why->message, "%s: %.*s", what, (int)b.bytes,
		               b.at);
	else
		(void)snprintf(why->message, sizeof why->message, "%s: a long value", what);
	buf_close(&b);
	return false;
}

static gd_nsec saturated_add(gd_nsec a, gd_nsec b)
{
	gd_nsec sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b < 0 ? -GD_NSEC_NEVER : GD_NSEC_NEVER;
	return sum;
}

static gd_nsec saturated_mul(gd_nsec a, gd_nsec b)
{
	gd_nsec product;

	if (__builtin_mul_overflow(a, b, &product))
		return (a < 0) != (b < 0) ? -GD_NSEC_NEVER : GD_NSEC_NEVER;
	return product;
}

/* Whole seconds and the rest apart, so that a moment keeps all the digits its double has. */
static gd_nsec of_float(double seconds)
{
	gd_nsec whole;
	double  rest;

	if (seconds >= 9.2e9)
		return GD_NSEC_NEVER;
	if (seconds <= -9.2e9)
		return -GD_NSEC_NEVER;
	if (seconds > 0 && seconds < 1e-9)
		return 1;
	whole = (gd_nsec)seconds;
	rest = (seconds - (double)whole) * 1e9;
	return whole * GD_NSEC_PER_SEC + (gd_nsec)(rest < 0 ? rest - 0.5 : rest + 0.5);
}

/* A number as seconds; false when `v` is none. */
static bool of_number(struct value v, gd_nsec *out)
{
	if (value_is_float(v))
		*out = of_float(value_as_float(v));
	else if (value_type(v) == VALUE_T_INT)
		*out = saturated_mul(value_as_int(v), GD_NSEC_PER_SEC);
	else
		return false;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The longest unit at `*at`, which moves behind it; NULL when there is none. */
static const struct unit *unit_at(const char **at)
{
	const struct unit *best = NULL;
	size_t             best_bytes = 0;

	for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
		size_t bytes = strlen(UNITS[i].name);

		if (bytes > best_bytes && strncmp(*at, UNITS[i].name, bytes) == 0) {
			best = &UNITS[i];
			best_bytes = bytes;
		}
	}
	*at += best_bytes;
	return best;
}

/* Digits after the point, as a numerator over `*scale`. Digits too small to matter only count as
 * "more than nothing", which the caller rounds up to a nanosecond. */
static uint64_t fraction_at(const char **at, uint64_t *scale)
{
	uint64_t numerator = 0;
	int      digits = 0;

	for (*scale = 1; is_digit(**at); (*at)++) {
		if (digits++ < FRACTION_DIGITS_MAX) {
			numerator = numerator * 10 + (uint64_t)(**at - '0');
			*scale *= 10;
		} else if (**at != '0' && numerator == 0) {
			numerator = 1;
		}
	}
	return numerator;
}

/* One "12.5ms" at `*at`; false when there is none. */
static bool part_at(const char **at, gd_nsec *out)
{
	gd_nsec            whole = 0, rest = 0;
	uint64_t           numerator = 0, scale = 1;
	const struct unit *unit;

	if (!is_digit(**at))
		return false;
	for (; is_digit(**at); (*at)++)
		whole = saturated_add(saturated_mul(whole, 10), **at - '0');
	if (**at == '.') {
		(*at)++;
		if (!is_digit(**at))
			return false;
		numerator = fraction_at(at, &scale);
	}
	unit = unit_at(at);
	if (unit == NULL)
		return false;
	if (numerator != 0) {
		double exact = (double)numerator / (double)scale * (double)unit->length;

		rest = exact < 1 && whole == 0 ? 1 : (gd_nsec)(exact + 0.5);
	}
	*out = saturated_add(saturated_mul(whole, unit->length), rest);
	return true;
}

static bool parse_duration(const char *at, const char *end, gd_nsec *out)
{
	gd_nsec part;

	*out = 0;
	do {
		if (!part_at(&at, &part))
			return false;
		*out = saturated_add(*out, part);
	} while (at < end);
	return true;
}

bool duration_of_value(struct value v, gd_nsec *out, struct expr_error *why)
{
	const struct vtext *text;

	if (of_number(v, out))
		return true;
	if (!value_is_type(v, VALUE_T_TEXT))
		return refuse(why, "TypeError", "a duration is a number or text", v);
	text = value_text(v);
	if (!parse_duration(text->at, text->at + text->bytes, out))
		return refuse(why, "ValueError", "not a duration", v);
	return true;
}

/* --- moments --- */

/* `count` digits at `*at` as a number from `least` to `most`. */
static bool digits_at(const char **at, int count, int least, int most, int *out)
{
	int number = 0;

	for (; count > 0; count--, (*at)++) {
		if (!is_digit(**at))
			return false;
		number = number * 10 + (**at - '0');
	}
	*out = number;
	return number >= least && number <= most;
}

static bool char_at(const char **at, char wanted)
{
	if (**at != wanted)
		return false;
	(*at)++;
	return true;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int year, int month)
{
	static const int DAYS[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : DAYS[month - 1];
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; `year` >= 0. Years begin in March
 * here, so that the leap day is the last one. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

/* "2026-11-22" as days; `*at` moves behind it. */
static bool date_at(const char **at, int64_t *days)
{
	int year, month, day;

	if (!digits_at(at, 4, 0, 9999, &year) || !char_at(at, '-') ||
	    !digits_at(at, 2, 1, 12, &month) || !char_at(at, '-') ||
	    !digits_at(at, 2, 1, days_of_month(year, month), &day))
		return false;
	*days = days_from_civil(year, month, day);
	return true;
}

/* "10:20:30.5" as nanoseconds of the day. Second 60 is the first of the next minute. */
static bool clock_at(const char **at, gd_nsec *out)
{
	int      hour, minute, second;
	uint64_t numerator = 0, scale = 1;

	if (!digits_at(at, 2, 0, 23, &hour) || !char_at(at, ':') ||
	    !digits_at(at, 2, 0, 59, &minute) || !char_at(at, ':') ||
	    !digits_at(at, 2, 0, 60, &second))
		return false;
	if (char_at(at, '.')) {
		if (!is_digit(**at))
			return false;
		numerator = fraction_at(at, &scale);
	}
	*out = (hour * 3600 + minute * 60 + second) * GD_NSEC_PER_SEC +
	       (gd_nsec)((double)numerator / (double)scale * 1e9);
	return true;
}

/* "Z" or "+02:00" as nanoseconds east of UTC. */
static bool offset_at(const char **at, gd_nsec *out)
{
	int  hour, minute;
	bool is_west = **at == '-';

	*out = 0;
	if (char_at(at, 'Z') || char_at(at, 'z'))
		return true;
	if (!is_west && **at != '+')
		return false;
	(*at)++;
	if (!digits_at(at, 2, 0, 23, &hour) || !char_at(at, ':') ||
	    !digits_at(at, 2, 0, 59, &minute))
		return false;
	*out = (hour * 60 + minute) * 60 * GD_NSEC_PER_SEC;
	if (is_west)
		*out = -*out;
	return true;
}

static bool parse_time(const char *at, const char *end, gd_nsec *out)
{
	int64_t days;
	gd_nsec of_day, east;

	if (!date_at(&at, &days))
		return false;
	if (*at != 'T' && *at != 't' && *at != ' ')
		return false;
	at++;
	if (!clock_at(&at, &of_day) || !offset_at(&at, &east) || at != end)
		return false;
	*out = saturated_add(saturated_mul(days, 86400 * GD_NSEC_PER_SEC), of_day - east);
	return true;
}

bool time_of_value(struct value v, gd_nsec *out, struct expr_error *why)
{
	const struct vtext *text;

	if (of_number(v, out))
		return true;
	if (!value_is_type(v, VALUE_T_TEXT))
		return refuse(why, "TypeError", "a time is a number or RFC 3339 text", v);
	text = value_text(v);
	if (!parse_time(text->at, text->at + text->bytes, out))
		return refuse(why, "ValueError", "not an RFC 3339 time with an offset", v);
	return true;
}
