#include "proto/base64.h"

#include "proto/base/check.h"

#include <openssl/evp.h>
#include <string.h>

void base64_write(struct buf *b, const void *bytes, size_t count)
{
	size_t chars = (count + 2) / 3 * 4;
	char  *to;

	CHECK(count <= BASE64_BYTES_MAX);
	to = buf_reserve(b, chars + 1); /* it also writes a NUL */
	if (to == NULL)
		return;
	(void)EVP_EncodeBlock((unsigned char *)to, bytes, (int)count);
	b->bytes += chars;
}

/* libcrypto would also take white space around it and padding inside. */
static bool is_text(const char *text, size_t chars)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789+/";

	return strspn(text, letters) == chars;
}

bool base64_read(struct buf *b, const char *text, size_t chars)
{
	size_t padding = 0;
	char  *to;

	while (padding < 2 && padding < chars && text[chars - padding - 1] == '=')
		padding++;
	if (chars % 4 != 0 || chars > BASE64_BYTES_MAX || !is_text(text, chars - padding))
		return false;
	to = buf_reserve(b, chars / 4 * 3);
	if (to == NULL)
		return true;
	if (EVP_DecodeBlock((unsigned char *)to, (const unsigned char *)text, (int)chars) < 0)
		return false;
	b->bytes += chars / 4 * 3 - padding;
	return true;
}
