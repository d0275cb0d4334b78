/* How a request can fail, in the words of jobs. */
#include "daemon/http/http_inside.h"

#include <stdarg.h>
#include <stdio.h>

const char *http_error_type(enum gd_err rc)
{
	switch ((int)rc) {
	case GD_INVALID_PARAMS:
		return "ValueError";
	case GD_FORBIDDEN:
		return "PermissionError";
	case GD_LIMIT:
		return "LimitError";
	default:
		return "HttpError";
	}
}

void transfer_fail(struct http_transfer *t, const char *type, const char *stage, const char *fmt,
                   ...)
{
	va_list args;

	if (t->type != NULL)
		return;
	t->type = type;
	t->stage = stage;
	t->message = t->run->message;
	va_start(args, fmt);
	(void)vsnprintf(t->run->message, sizeof t->run->message, fmt, args);
	va_end(args);
}

void transfer_fail_why(struct http_transfer *t, const char *stage, const struct gd_error *why)
{
	transfer_fail(t, http_error_type(why->code), stage, "%s", why->text);
}

/* At which point it was; NULL: nobody can tell. */
static const char *stage_of(CURLcode code)
{
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "resolve";
	case CURLE_COULDNT_CONNECT:
	case CURLE_INTERFACE_FAILED:
		return "connect";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return "tls";
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND:
		return "send";
	default:
		return "receive";
	}
}

void transfer_fail_code(struct http_transfer *t, CURLcode code)
{
	const char *words = t->run->words[0] != '\0' ? t->run->words : curl_easy_strerror(code);

	if (code == CURLE_FILESIZE_EXCEEDED)
		transfer_fail(t, "LimitError", "response",
		              "a response of more than %u KiB, which is http-response-kib",
		              (unsigned)t->client->limits.response_bytes / 1024);
	else
		transfer_fail(t, "HttpError", stage_of(code), "%s", words);
}
