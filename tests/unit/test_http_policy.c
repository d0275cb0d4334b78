/* daemon/http/: which addresses, hosts and URLs may be called. */
#include "daemon/http/http_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* --- hosts --- */

static void given_rules_of_hosts_when_asked_then_they_have_what_they_say(void **state)
{
	static const struct {
		const char *rule, *host;
		uint16_t    port;
		bool        has;
	} CASES[] = {
		{ "*", "anything", 1, true },
		{ "*:443", "anything", 443, true },
		{ "*:443", "anything", 80, false },
		{ "example.org", "example.org", 8080, true },
		{ "EXAMPLE.org", "example.org", 80, true },
		{ "example.org", "www.example.org", 80, false },
		{ "example.org", "example.org.evil.test", 80, false },
		{ "example.org:8443", "example.org", 8443, true },
		{ "example.org:8443", "example.org", 443, false },
		{ "*.example.org", "www.example.org", 80, true },
		{ "*.example.org", "a.b.example.org", 80, true },
		{ "*.example.org", "example.org", 80, false },
		{ "*.example.org", "badexample.org", 80, false },
		{ "*.example.org:80", "www.example.org", 81, false },
		{ "10.0.0.1", "10.0.0.1", 80, true },
		{ "10.0.0.1:80", "10.0.0.1", 81, false },
		{ "[::1]", "::1", 80, true },
		{ "[0:0:0:0:0:0:0:1]:80", "::1", 80, true },
		{ "localhost", "localhost", 80, true },
		{ "xn--bcher-kva.test", "xn--bcher-kva.test", 80, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(CASES); i++) {
		struct http_host h;
		struct gd_error  why;

		assert_int_equal(http_host_read(CASES[i].rule, &h, &why), GD_OK);
		if (http_host_has(&h, CASES[i].host, CASES[i].port) != CASES[i].has)
			fail_msg("%s and %s:%u", CASES[i].rule, CASES[i].host,
			         (unsigned)CASES[i].port);
	}
}

static void given_no_rules_of_hosts_when_read_then_each_is_refused(void **state)
{
	static const char *const WRONG[] = {
		"",
		"*.",
		"*example.org",
		"a.*.org",
		".example.org",
		"example..org",
		"example.org.",
		"http://example.org",
		"example.org/",
		"example.org:",
		"example.org:0",
		"example.org:65536",
		"example.org:x",
		"::1",
		"[::1",
		"[localhost]",
		"b\xc3\xbc.test",
		"127.1",
		"2130706433",
		"a b",
		"*.1",
		"*.*",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test",
	};
	char             longest[HTTP_HOST_BYTES_MAX + 3];
	struct http_host h;
	struct gd_error  why;

	(void)state;
	for (size_t i = 0; i < COUNT(WRONG); i++) {
		if (http_host_read(WRONG[i], &h, &why) != GD_INVALID_PARAMS)
			fail_msg("%s is taken", WRONG[i]);
	}
	for (size_t i = 0; i < sizeof longest; i++)
		longest[i] = i % 2 == 0 ? 'a' : '.';
	longest[HTTP_HOST_BYTES_MAX] = '\0';
	assert_int_equal(http_host_read(longest, &h, &why), GD_OK);
	longest[HTTP_HOST_BYTES_MAX] = '.';
	longest[HTTP_HOST_BYTES_MAX + 2] = '\0';
	assert_int_equal(http_host_read(longest, &h, &why), GD_INVALID_PARAMS);
}

/* --- URLs --- */

struct rules {
	const char *host, *network;
};

static struct http_policy *policy_of(struct rules r)
{
	const struct http_policy_config config = { .hosts = &r.host,
		                                   .networks = &r.network,
		                                   .host_count = r.host != NULL,
		                                   .network_count = r.network != NULL };
	struct http_policy             *p;
	struct gd_error                 why;

	assert_int_equal(http_policy_open(&config, &p, &why), GD_OK);
	return p;
}

static enum gd_err check(const struct http_policy *p, const char *url, struct gd_error *why)
{
	return http_policy_check_url(p, (struct http_text){ url, strlen(url) }, why);
}

static void given_no_rule_when_a_url_is_checked_then_the_key_is_named(void **state)
{
	struct http_policy *p = policy_of((struct rules){ NULL, NULL });
	struct gd_error     why;

	(void)state;
	assert_int_equal(check(p, "https://example.org/x", &why), GD_FORBIDDEN);

	assert_string_equal(why.text, "http-allow does not allow the host example.org:443");
	http_policy_close(p);
}

static void given_all_hosts_when_a_special_address_is_written_in_any_way_then_it_is_refused(
	void **state)
{
	static const char *const WAYS[] = {
		"http://127.0.0.1/",
		"http://127.1/",
		"http://2130706433/",
		"http://0x7f000001/",
		"http://0x7f.1/",
		"http://0177.0.0.1/",
		"http://017700000001/",
		"http://127.0.0.1./",
		"http://%31%32%37.0.0.1/",
		"http://[::1]/",
		"http://[::ffff:127.0.0.1]/",
		"http://[::ffff:7f00:1]/",
		"http://[0:0:0:0:0:ffff:127.0.0.1]/",
		"http://[64:ff9b::7f00:1]/",
		"http://0/",
		"http://169.254.169.254/latest/meta-data/",
		"http://[fd00:ec2::254]/",
		"http://[fe80::1%25lo]/",
		"http://2852039166/",
		"HTTPS://10.0.0.1:8443/",
	};
	struct http_policy *p = policy_of((struct rules){ "*", NULL });

	(void)state;
	for (size_t i = 0; i < COUNT(WAYS); i++) {
		struct gd_error why;

		if (check(p, WAYS[i], &why) != GD_FORBIDDEN)
			fail_msg("%s: %s", WAYS[i], why.text);
		assert_non_null(strstr(why.text, "http-allow-address"));
	}
	http_policy_close(p);
}

static void given_an_allowed_network_when_its_addresses_are_called_then_they_are_allowed(
	void **state)
{
	struct http_policy *p = policy_of((struct rules){ "*", "127.0.0.0/8" });
	struct gd_error     why;

	(void)state;
	assert_int_equal(check(p, "http://127.0.0.1:8080/", &why), GD_OK);
	assert_int_equal(check(p, "http://0x7f.1/", &why), GD_OK);
	assert_int_equal(check(p, "http://8.8.8.8/", &why), GD_OK);
	assert_int_equal(check(p, "http://10.0.0.1/", &why), GD_FORBIDDEN);
	assert_string_equal(why.text, "10.0.0.1 is a private address, which http-allow-address "
	                              "does not allow");
	http_policy_close(p);
}

static void given_one_host_when_others_look_like_it_then_they_are_refused(void **state)
{
	static const char *const OTHERS[] = {
		"http://example.org.evil.test/", "http://evil.test/?example.org",
		"http://evil.test/example.org",  "http://evil.test#example.org",
		"http://evil.test:80/",          "http://example.org%2eevil.test/",
		"http://example.org:81/",
	};
	static const char *const SAME[] = {
		"http://example.org/",
		"HTTP://EXAMPLE.ORG:80/x?y#z",
		"http://example.org.:80/",
		"http://exampl%65.org/",
	};
	struct http_policy *p = policy_of((struct rules){ "example.org:80", NULL });
	struct gd_error     why;

	(void)state;
	for (size_t i = 0; i < COUNT(OTHERS); i++) {
		if (check(p, OTHERS[i], &why) != GD_FORBIDDEN)
			fail_msg("%s: %s", OTHERS[i], why.text);
	}
	for (size_t i = 0; i < COUNT(SAME); i++) {
		if (check(p, SAME[i], &why) != GD_OK)
			fail_msg("%s: %s", SAME[i], why.text);
	}
	http_policy_close(p);
}

static void given_no_url_of_ours_when_checked_then_it_is_invalid(void **state)
{
	static const char *const WRONG[] = {
		"",
		"/path",
		"example.org",
		"//example.org/",
		"file:///etc/passwd",
		"ftp://example.org/",
		"gopher://example.org/",
		"http:",
		"http://",
		"http://example.org:0/",
		"http://example.org:65536/",
		"http://exa mple.org/",
		"http://user@example.org/",
		"http://user:secret9@example.org/",
		"http://example.org\\@evil.test/",
		"http://[::1/",
		"http://example.org/\r\nX: y",
		"http://exam\nple.org/",
	};
	struct http_policy *p = policy_of((struct rules){ "*", NULL });
	struct gd_error     why;

	(void)state;
	for (size_t i = 0; i < COUNT(WRONG); i++) {
		if (check(p, WRONG[i], &why) != GD_INVALID_PARAMS)
			fail_msg("%s: %s", WRONG[i], why.text);
		assert_null(strstr(why.text, "secret9"));
	}
	assert_int_equal(http_policy_check_url(p, (struct http_text){ "http://a/\0b", 11 }, &why),
	                 GD_INVALID_PARAMS);
	http_policy_close(p);
}

static void given_a_name_in_unicode_when_checked_then_it_is_to_be_written_as_it_is_sent(
	void **state)
{
	struct http_policy *p = policy_of((struct rules){ "*", NULL });
	struct gd_error     why;

	(void)state;
	assert_int_equal(check(p,
	                       "http://b\xc3\xbc"
	                       "cher.test/",
	                       &why),
	                 GD_INVALID_PARAMS);
	assert_non_null(strstr(why.text, "xn--"));
	assert_int_equal(check(p, "http://b%c3%bccher.test/", &why), GD_INVALID_PARAMS);
	assert_int_equal(check(p, "http://xn--bcher-kva.test/\xc3\xbc", &why), GD_OK);
	http_policy_close(p);
}

/* --- redirects, addresses, certificates --- */

static void given_redirects_when_checked_then_tls_is_not_left(void **state)
{
	struct http_policy *p = policy_of((struct rules){ "*", NULL });
	struct http_url     plain, tls;
	struct gd_error     why;

	(void)state;
	assert_int_equal(http_url_read(&plain, (struct http_text){ "http://a.test/", 14 }, &why),
	                 0);
	assert_int_equal(http_url_read(&tls, (struct http_text){ "https://a.test/", 15 }, &why), 0);

	assert_int_equal(http_policy_check_redirect(p, &plain, &tls, &why), GD_OK);
	assert_int_equal(http_policy_check_redirect(p, &tls, &tls, &why), GD_OK);
	assert_int_equal(http_policy_check_redirect(p, &tls, &plain, &why), GD_FORBIDDEN);

	assert_false(http_url_is_same_origin(&plain, &tls));
	http_url_close(&plain);
	http_url_close(&tls);
	http_policy_close(p);
}

static void given_another_family_when_it_is_an_address_then_it_is_refused(void **state)
{
	struct http_policy   *p = policy_of((struct rules){ "*", "::/0" });
	const struct sockaddr local = { .sa_family = AF_UNIX };
	struct gd_error       why;

	(void)state;
	assert_int_equal(http_policy_check_address(p, &local, &why), GD_FORBIDDEN);
	http_policy_close(p);
}

static void given_what_is_no_policy_when_opened_then_its_key_is_named(void **state)
{
	static const char *const good = "*", *const bad = "example.org, http://x";
	static const char *const none = "10.0.0.0/8 10.0.0.1/8";
	struct http_policy      *p;
	struct gd_error          why;

	(void)state;
	assert_int_equal(http_policy_open(&(struct http_policy_config){ .hosts = &good,
	                                                                .host_count = 1,
	                                                                .ca_file = "/dev/null" },
	                                  &p, &why),
	                 GD_INVALID_PARAMS);
	assert_string_equal(why.text, "http-ca-file: no certificates in /dev/null");
	assert_int_equal(
		http_policy_open(&(struct http_policy_config){ .hosts = &bad, .host_count = 1 }, &p,
	                         &why),
		GD_INVALID_PARAMS);
	assert_ptr_equal(strstr(why.text, "http-allow: http://x is not a host"), why.text);
	assert_int_equal(http_policy_open(&(struct http_policy_config){ .networks = &none,
	                                                                .network_count = 1 },
	                                  &p, &why),
	                 GD_INVALID_PARAMS);
	assert_string_equal(why.text, "http-allow-address: 10.0.0.1/8: the address has more bits "
	                              "than the network");
}

static void given_several_rules_in_a_text_when_checked_then_each_counts(void **state)
{
	struct http_policy *p =
		policy_of((struct rules){ "a.test,b.test  c.test ,", "10.0.0.1 10.0.0.2" });
	struct gd_error why;

	(void)state;
	assert_int_equal(check(p, "http://a.test/", &why), GD_OK);
	assert_int_equal(check(p, "http://c.test/", &why), GD_OK);
	assert_int_equal(check(p, "http://d.test/", &why), GD_FORBIDDEN);
	http_policy_close(p);
}

static void given_a_query_when_it_is_added_then_it_is_encoded_behind_what_is_there(void **state)
{
	const struct http_field fields[] = {
		{ { "a b", 3 }, { "c&d=\xc3\xa4", 6 } },
		{ { "e", 1 }, { "", 0 } },
		{ { "n", 1 }, { "\0%", 2 } },
	};
	struct http_url u;
	struct gd_error why;

	(void)state;
	assert_int_equal(
		http_url_read(&u, (struct http_text){ "http://h.test/p?x=1#frag", 24 }, &why), 0);
	assert_int_equal(http_url_add_query(&u, fields, 3, &why), GD_OK);

	assert_string_equal(u.text, "http://h.test/p?x=1&a%20b=c%26d%3d%c3%a4&e=&n=%00%25");
	http_url_close(&u);
}

static void given_a_query_without_end_when_it_is_added_then_there_is_a_limit(void **state)
{
	static const char       LONG[9000] = "";
	const struct http_field field = { { "a", 1 }, { LONG, 5000 } };
	struct http_url         u;
	struct gd_error         why;

	(void)state;
	assert_int_equal(http_url_read(&u, (struct http_text){ "http://h.test/", 14 }, &why), 0);
	assert_int_equal(http_url_add_query(&u, &field, 1, &why), GD_LIMIT);
	http_url_close(&u);
	assert_int_equal(http_url_read(&u, (struct http_text){ LONG, sizeof LONG }, &why),
	                 GD_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_rules_of_hosts_when_asked_then_they_have_what_they_say),
		cmocka_unit_test(given_no_rules_of_hosts_when_read_then_each_is_refused),
		cmocka_unit_test(given_no_rule_when_a_url_is_checked_then_the_key_is_named),
		cmocka_unit_test(
			given_all_hosts_when_a_special_address_is_written_in_any_way_then_it_is_refused),
		cmocka_unit_test(
			given_an_allowed_network_when_its_addresses_are_called_then_they_are_allowed),
		cmocka_unit_test(given_one_host_when_others_look_like_it_then_they_are_refused),
		cmocka_unit_test(given_no_url_of_ours_when_checked_then_it_is_invalid),
		cmocka_unit_test(
			given_a_name_in_unicode_when_checked_then_it_is_to_be_written_as_it_is_sent),
		cmocka_unit_test(given_redirects_when_checked_then_tls_is_not_left),
		cmocka_unit_test(given_another_family_when_it_is_an_address_then_it_is_refused),
		cmocka_unit_test(given_what_is_no_policy_when_opened_then_its_key_is_named),
		cmocka_unit_test(given_several_rules_in_a_text_when_checked_then_each_counts),
		cmocka_unit_test(
			given_a_query_when_it_is_added_then_it_is_encoded_behind_what_is_there),
		cmocka_unit_test(given_a_query_without_end_when_it_is_added_then_there_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
