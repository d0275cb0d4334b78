/* daemon/http/http_address: kinds of addresses, and networks. */
#include "daemon/http/http_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void given_special_addresses_when_asked_then_each_has_its_kind(void **state)
{
	static const char *const SPECIAL[][2] = {
		{ "0.0.0.0", "an unspecified address" },
		{ "0.255.255.255", "an unspecified address" },
		{ "10.0.0.1", "a private address" },
		{ "100.64.0.1", "a private address of a provider" },
		{ "100.100.100.200", "a private address of a provider" },
		{ "100.127.255.255", "a private address of a provider" },
		{ "127.0.0.1", "a loopback address" },
		{ "127.255.255.255", "a loopback address" },
		{ "169.254.169.254", "a link-local address" },
		{ "172.16.0.1", "a private address" },
		{ "172.31.255.255", "a private address" },
		{ "192.0.0.170", "a reserved address" },
		{ "192.0.2.1", "an address for documents" },
		{ "192.168.1.1", "a private address" },
		{ "198.19.255.255", "an address for measurements" },
		{ "224.0.0.1", "a multicast address" },
		{ "239.255.255.255", "a multicast address" },
		{ "240.0.0.1", "a reserved address" },
		{ "255.255.255.255", "a reserved address" },
		{ "::", "an unspecified address" },
		{ "::1", "a loopback address" },
		{ "::2", "an unspecified address" },
		{ "::127.0.0.1", "a loopback address" },
		{ "::ffff:127.0.0.1", "a loopback address" },
		{ "::ffff:10.1.2.3", "a private address" },
		{ "::ffff:0:169.254.169.254", "a link-local address" },
		{ "64:ff9b::169.254.169.254", "a link-local address" },
		{ "64:ff9b::7f00:1", "a loopback address" },
		{ "64:ff9b:1::1", "a private address" },
		{ "2002:7f00:1::", "a loopback address" },
		{ "2002:a9fe:a9fe::1", "a link-local address" },
		{ "2002:c0a8:101::1", "a private address" },
		{ "2001:0:4136:e378::1", "a reserved address" },
		{ "2001:db8::1", "an address for documents" },
		{ "100::1", "a reserved address" },
		{ "fc00::1", "a private address" },
		{ "fd00:ec2::254", "a private address" },
		{ "fe80::1", "a link-local address" },
		{ "febf::1", "a link-local address" },
		{ "fec0::1", "a private address" },
		{ "ff02::1", "a multicast address" },
		{ "4000::1", "a reserved address" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(SPECIAL); i++) {
		struct http_address a;

		assert_true(http_address_read(SPECIAL[i][0], &a));
		if (http_address_kind(&a) == NULL)
			fail_msg("%s is nobody's", SPECIAL[i][0]);
		assert_string_equal(http_address_kind(&a), SPECIAL[i][1]);
	}
}

static void given_ordinary_addresses_when_asked_then_they_have_no_kind(void **state)
{
	static const char *const ORDINARY[] = {
		"1.1.1.1",     "9.255.255.255",        "11.0.0.0",         "100.63.255.255",
		"100.128.0.0", "126.255.255.255",      "128.0.0.0",        "172.15.255.255",
		"172.32.0.0",  "192.167.255.255",      "223.255.255.255",  "2606:4700::1111",
		"2a00::1",     "::ffff:8.8.8.8",       "64:ff9b::8.8.8.8", "2002:808:808::1",
		"3fff:ffff::", "2001:4860:4860::8888",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ORDINARY); i++) {
		struct http_address a;

		assert_true(http_address_read(ORDINARY[i], &a));
		if (http_address_kind(&a) != NULL)
			fail_msg("%s is %s", ORDINARY[i], http_address_kind(&a));
	}
}

static void given_networks_when_asked_then_they_have_what_is_in_them(void **state)
{
	static const struct {
		const char *network, *address;
		bool        is_in;
	} CASES[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.2", false },
		{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
		{ "127.0.0.0/8", "64:ff9b::127.0.0.1", true },
		{ "127.0.0.0/8", "2002:7f00:1::", true },
		{ "64:ff9b::/96", "64:ff9b::1.2.3.4", true },
		{ "192.168.4.0/22", "192.168.7.255", true },
		{ "192.168.4.0/22", "192.168.8.0", false },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "fd00::1", false },
		{ "fd00::/8", "fdff::1", true },
		{ "fd00::/8", "fc00::1", false },
		{ "::/0", "10.0.0.1", true },
		{ "::1", "::1", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(CASES); i++) {
		struct http_network n;
		struct http_address a;
		struct gd_error     why;

		assert_int_equal(http_network_read(CASES[i].network, &n, &why), GD_OK);
		assert_true(http_address_read(CASES[i].address, &a));
		if (http_network_has(&n, &a) != CASES[i].is_in)
			fail_msg("%s in %s", CASES[i].address, CASES[i].network);
	}
}

static void given_no_networks_when_read_then_each_is_refused(void **state)
{
	static const char *const WRONG[] = {
		"",
		"localhost",
		"10.0.0.1/8",
		"10.0.0.0/33",
		"10.0.0.0/",
		"10.0.0.0/x",
		"10.0.0.0/-1",
		"fd00::/129",
		"[::1]",
		"10.0.0",
		"::1/128/1",
		"10.0.0.0/8 ",
		"fe80::1%lo",
		"0x7f.1",
		"10.0.0.0/0008",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(WRONG); i++) {
		struct http_network n;
		struct gd_error     why;

		if (http_network_read(WRONG[i], &n, &why) != GD_INVALID_PARAMS)
			fail_msg("%s is taken", WRONG[i]);
		assert_int_not_equal(why.text[0], '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_special_addresses_when_asked_then_each_has_its_kind),
		cmocka_unit_test(given_ordinary_addresses_when_asked_then_they_have_no_kind),
		cmocka_unit_test(given_networks_when_asked_then_they_have_what_is_in_them),
		cmocka_unit_test(given_no_networks_when_read_then_each_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
