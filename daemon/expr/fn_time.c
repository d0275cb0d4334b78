/* format_time(), parse_time(): seconds since the epoch and RFC 3339 text, in UTC. */
#include "daemon/expr/fn.h"

#include "daemon/expr/duration.h"

#include <math.h>
#include <stdio.h>

#define DAY_SECONDS INT64_C(86400)
#define FIRST_SECOND INT64_C(-62135596800) /* of the year 1 */
#define LAST_SECOND INT64_C(253402300799)  /* of the year 9999 */

struct civil {
	int64_t year;
	int     month;
	int     day;
};

/* The date `days` after 1970-01-01, proleptic Gregorian. Years begin in March here, so that the
 * leap day is the last of its year; an era is 400 of them. Source: H. Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms". */
static struct civil civil_of_days(int64_t days)
{
	int64_t      since = days + 719468; /* 0000-03-01, which no day of the year 1 precedes */
	int64_t      era = since / 146097, of_era = since % 146097;
	int64_t      year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t      of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t      month = (5 * of_year + 2) / 153;
	struct civil date;

	date.day = (int)(of_year - (153 * month + 2) / 5 + 1);
	date.month = (int)(month < 10 ? month + 3 : month - 9);
	date.year = year + era * 400 + (date.month <= 2);
	return date;
}

/* Microseconds are what a double still tells apart near our time; a tie goes to the even one. */
static struct value write_time(struct expr_run *r, int64_t second, int64_t usec)
{
	int64_t      days = second / DAY_SECONDS - (second % DAY_SECONDS < 0);
	int          of_day = (int)(second - days * DAY_SECONDS);
	struct civil date = civil_of_days(days);
	char         text[48];
	int          used;

	used = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", (int)date.year,
	                date.month, date.day, of_day / 3600, of_day / 60 % 60, of_day % 60);
	if (usec != 0)
		used += snprintf(text + used, sizeof text - (size_t)used, ".%06d", (int)usec);
	text[used++] = 'Z';
	return expr_text(r, text, (size_t)used);
}

struct value expr_fn_format_time(struct expr_run *r, const struct value *args, uint32_t count)
{
	char    shown[EXPR_SHOWN_BYTES + 8];
	double  whole = 0, usec = 0;
	int64_t second;

	(void)count;
	if (expr_refuse_handle(r, args[0], "be a time"))
		return VALUE_NONE;
	if (!expr_is_number(args[0]) || expr_is_bool(args[0]))
		return expr_raise_type(r, "format_time() argument must be a number, not '%s'",
		                       value_type_name(args[0]));
	whole = floor(expr_float_of(args[0]));
	if (!(whole >= (double)FIRST_SECOND && whole <= (double)LAST_SECOND))
		return expr_raise(r, "ValueError", "%s is not in the years 1 to 9999",
		                  expr_show(args[0], shown));
	usec = nearbyint((expr_float_of(args[0]) - whole) * 1e6);
	second = (int64_t)whole + (usec >= 1e6);
	if (second > LAST_SECOND)
		return expr_raise(r, "ValueError", "%s is not in the years 1 to 9999",
		                  expr_show(args[0], shown));
	return write_time(r, second, usec >= 1e6 ? 0 : (int64_t)usec);
}

struct value expr_fn_parse_time(struct expr_run *r, const struct value *args, uint32_t count)
{
	char    shown[EXPR_SHOWN_BYTES + 8];
	gd_nsec moment;

	(void)count;
	if (expr_refuse_handle(r, args[0], "be text"))
		return VALUE_NONE;
	if (!value_is_type(args[0], VALUE_T_TEXT))
		return expr_raise_type(r, "parse_time() argument must be str, not '%s'",
		                       value_type_name(args[0]));
	if (!time_of_value(args[0], &moment, r->why))
		return VALUE_NONE;
	if (moment == GD_NSEC_NEVER || moment == -GD_NSEC_NEVER)
		return expr_raise(r, "ValueError", "%s is too far from 1970",
		                  expr_show(args[0], shown));
	return value_float((double)(moment / GD_NSEC_PER_SEC) +
	                   (double)(moment % GD_NSEC_PER_SEC) / (double)GD_NSEC_PER_SEC);
}
