#include "proto/base/utf8.h"

/* Of the character that begins so; 0: none does. */
static size_t length_of(unsigned char first)
{
	if (first < 0x80)
		return first != 0;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The second byte has less room behind some first ones: no overlong forms, no surrogates, nothing
 * above U+10FFFF. */
static bool is_second(unsigned char first, unsigned char second)
{
	unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	return second >= least && second <= most;
}

/* How many of `bytes` fit the character that begins at `at`; at most its length. */
static size_t fitting(const unsigned char *at, size_t bytes, size_t length)
{
	size_t count = 1;

	if (count < bytes && count < length && !is_second(at[0], at[1]))
		return count;
	while (count < bytes && count < length && (at[count] & 0xc0) == 0x80)
		count++;
	return count;
}

size_t utf8_prefix(const char *at, size_t bytes)
{
	const unsigned char *text = (const unsigned char *)at;
	size_t               done = 0;

	while (done < bytes) {
		size_t length = length_of(text[done]);

		if (length == 0 || fitting(text + done, bytes - done, length) < length)
			break;
		done += length;
	}
	return done;
}

bool utf8_is_cut(const char *at, size_t bytes)
{
	const unsigned char *text = (const unsigned char *)at;
	size_t               length = bytes == 0 ? 0 : length_of(text[0]);

	return bytes < length && fitting(text, bytes, length) == bytes;
}
