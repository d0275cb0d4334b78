#include "proto/base/moment.h"

#include "proto/base/check.h"

#include <stdint.h>
#include <stdio.h>

#define DAY_SECONDS INT64_C(86400)

/* Digits of one fixed-width number. */
static bool read_digits(const char **at, uint32_t count, int32_t *out)
{
	int32_t number = 0;

	for (uint32_t i = 0; i < count; i++) {
		char c = (*at)[i];

		if (c < '0' || c > '9')
			return false;
		number = number * 10 + (c - '0');
	}
	*at += count;
	*out = number;
	return true;
}

static bool read_char(const char **at, char wanted)
{
	if (**at != wanted)
		return false;
	++*at;
	return true;
}

/* Days from 1970-01-01, of the proleptic Gregorian calendar. Years begin in March here, so that the
 * leap day is the last of its year. */
static int64_t days_from_civil(int32_t year, int32_t month, int32_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static int32_t days_of_month(int32_t year, int32_t month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool                is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && is_leap ? 29 : days[month - 1];
}

static bool read_date(const char **at, int64_t *days)
{
	int32_t year, month, day;

	if (!read_digits(at, 4, &year) || !read_char(at, '-') || !read_digits(at, 2, &month) ||
	    !read_char(at, '-') || !read_digits(at, 2, &day))
		return false;
	if (year < 1970 || year > 2261 || month < 1 || month > 12)
		return false;
	if (day < 1 || day > days_of_month(year, month))
		return false;
	*days = days_from_civil(year, month, day);
	return true;
}

static bool read_fraction(const char **at, int32_t *nsec)
{
	int32_t unit = 100000000;

	*nsec = 0;
	if (**at != '.')
		return true;
	++*at;
	if (**at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; ++*at) {
		if (unit == 0)
			return false;
		*nsec += (**at - '0') * unit;
		unit /= 10;
	}
	return true;
}

static bool read_time(const char **at, int64_t *seconds, int32_t *nsec)
{
	int32_t hour, minute, second;

	if (!read_digits(at, 2, &hour) || !read_char(at, ':') || !read_digits(at, 2, &minute) ||
	    !read_char(at, ':') || !read_digits(at, 2, &second) || !read_fraction(at, nsec))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	if (second == 60)
		*nsec = 0; /* a leap second: as a whole, the first moment of the next minute */
	*seconds = hour * 3600 + minute * 60 + second;
	return true;
}

/* Seconds east of Greenwich. */
static bool read_offset(const char **at, int64_t *seconds)
{
	int32_t hour, minute;
	int64_t sign;

	if (read_char(at, 'Z') || read_char(at, 'z')) {
		*seconds = 0;
		return true;
	}
	if (**at != '+' && **at != '-')
		return false;
	sign = *(*at)++ == '-' ? -1 : 1;
	if (!read_digits(at, 2, &hour) || !read_char(at, ':') || !read_digits(at, 2, &minute))
		return false;
	*seconds = sign * (hour * 3600 + minute * 60);
	return hour <= 23 && minute <= 59;
}

bool moment_read(const char *text, gd_nsec *out)
{
	const char *at = text;
	int64_t     days, seconds, east;
	int32_t     nsec;

	if (!read_date(&at, &days))
		return false;
	if (!read_char(&at, 'T') && !read_char(&at, 't') && !read_char(&at, ' '))
		return false;
	if (!read_time(&at, &seconds, &nsec) || !read_offset(&at, &east) || *at != '\0')
		return false;
	seconds += days * DAY_SECONDS - east;
	if (seconds < 0)
		return false;
	*out = seconds * GD_NSEC_PER_SEC + nsec;
	return true;
}

void moment_write(gd_nsec moment, char out[MOMENT_TEXT_BYTES])
{
	int64_t days = moment / GD_NSEC_PER_SEC / DAY_SECONDS;
	int64_t second = moment / GD_NSEC_PER_SEC % DAY_SECONDS;
	int64_t msec = moment / GD_NSEC_PER_MSEC % 1000;
	int32_t year = 1970 + (int32_t)(days / 366); /* never too late: no year is longer */
	int32_t month = 1;
	int     used;

	CHECK(moment >= 0);
	while (days_from_civil(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && days_from_civil(year, month + 1, 1) <= days)
		month++;
	days -= days_from_civil(year, month, 1);
	used = snprintf(out, MOMENT_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year,
	                (int)month, (int)days + 1, (int)(second / 3600), (int)(second / 60 % 60),
	                (int)(second % 60));
	CHECK(used > 0 && (size_t)used < MOMENT_TEXT_BYTES);
	(void)snprintf(out + used, MOMENT_TEXT_BYTES - (size_t)used, msec == 0 ? "Z" : ".%03dZ",
	               (int)msec);
}
