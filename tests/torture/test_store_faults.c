#include "tests/lib/fault_vfs.h"
#include "tests/lib/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Every request that SQLite makes of the disk in a short life goes wrong once: open, 20 commits,
 * close with its checkpoint, open again, 5 commits, close. Whatever happens, a start without faults
 * afterwards must find all that was acknowledged. GATHERD_TORTURE=1 takes every request; otherwise
 * some of each kind, other ones every day would only hide which.
 */
#define COMMITS 20
#define COMMITS_AGAIN 5
#define SOME 40 /* of each kind, when not all are taken */

static struct ledger ledger;

struct tally {
	uint64_t runs, refused, in_doubt, unharmed;
};

static int setup(void **state)
{
	(void)state;
	fault_vfs_install();
	ledger_init(&ledger);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fault_vfs_disarm();
	ledger_end(&ledger);
	return 0;
}

static bool is_thorough(void)
{
	return getenv("GATHERD_TORTURE") != NULL;
}

/* False: no further commit can be asked for. */
static bool live_once(uint32_t commits, bool is_patient, struct tally *tally)
{
	struct gd_error why = { 0 };

	if (ledger_open(&ledger, &why) != GD_OK) {
		assert_true(why.text[0] != '\0');
		tally->refused++;
		return false;
	}
	for (uint32_t i = 0; i < commits; i++) {
		if (ledger_commit(&ledger, is_patient) == GD_OK)
			continue;
		tally->in_doubt++;
		ledger_close(&ledger);
		return false;
	}
	ledger_close(&ledger);
	return true;
}

static void live(bool is_patient, struct tally *tally)
{
	tally->runs++;
	if (live_once(COMMITS, is_patient, tally) && live_once(COMMITS_AGAIN, is_patient, tally))
		tally->unharmed++;
}

static void try_plan(const struct fault_plan *plan, struct tally *tally)
{
	char what[80];

	(void)snprintf(what, sizeof what, "%s %llu %s%s", fault_op_name(plan->op),
	               (unsigned long long)plan->nth,
	               plan->way == FAULT_SHORT ? "is short" : "fails",
	               plan->is_lasting ? " and all later ones" : "");
	fault_vfs_arm(plan);
	live(!plan->is_lasting, tally);
	if (!fault_vfs_has_struck())
		fail_msg("%s: there was none", what);
	fault_vfs_disarm();
	ledger_check(&ledger, what);
	ledger_clear(&ledger);
}

static uint64_t count_requests(enum fault_op op)
{
	struct tally tally = { 0 };
	uint64_t     count;

	fault_vfs_disarm();
	live(true, &tally);
	count = fault_vfs_count(op);
	assert_int_equal(tally.unharmed, 1);
	assert_int_equal(ledger.acknowledged, COMMITS + COMMITS_AGAIN);
	ledger_check(&ledger, "no fault");
	ledger_clear(&ledger);
	return count;
}

static void fail_each(enum fault_op op, enum fault_way way, bool is_lasting)
{
	struct fault_plan plan = { .op = op, .way = way, .is_lasting = is_lasting };
	struct tally      tally = { 0 };
	uint64_t          count = count_requests(op);
	uint64_t          step = is_thorough() || count <= SOME ? 1 : count / SOME;

	assert_true(count > 0);
	for (plan.nth = 1; plan.nth <= count; plan.nth += step)
		try_plan(&plan, &tally);
	print_message("# %s: %llu of %llu; %llu starts refused, %llu commits in doubt, %llu "
	              "unharmed\n",
	              fault_op_name(op), (unsigned long long)tally.runs, (unsigned long long)count,
	              (unsigned long long)tally.refused, (unsigned long long)tally.in_doubt,
	              (unsigned long long)tally.unharmed);
}

static void given_any_request_that_fails_once_when_reopened_then_nothing_is_lost(void **state)
{
	(void)state;
	for (int op = 0; op < FAULT_OPS; op++)
		fail_each((enum fault_op)op, FAULT_ERROR, false);
}

static void given_a_disk_that_fails_for_good_when_reopened_then_nothing_is_lost(void **state)
{
	(void)state;
	for (int op = 0; op < FAULT_OPS; op++)
		fail_each((enum fault_op)op, FAULT_ERROR, true);
}

static void given_a_write_that_ends_half_way_when_there_is_room_then_it_is_done_again(void **state)
{
	(void)state;
	fail_each(FAULT_WRITE, FAULT_SHORT, false);
}

static void given_writes_that_end_half_way_when_reopened_then_nothing_is_lost(void **state)
{
	(void)state;
	fail_each(FAULT_WRITE, FAULT_SHORT, true);
}

/* A store that is open keeps on where the disk is full, and loses nothing where it is stopped. */
static void given_room_for_some_bytes_when_it_is_used_up_then_commits_wait_for_more(void **state)
{
	const uint64_t  step = is_thorough() ? 97 : 1009;
	struct gd_error why = { 0 };
	uint64_t        waited = 0;

	(void)state;
	for (uint64_t room = 0; room < 600 * 1024; room += step) {
		fault_vfs_disarm();
		assert_int_equal(ledger_open(&ledger, &why), GD_OK);
		fault_vfs_set_room(room);
		while (ledger.acknowledged < COMMITS && ledger_commit(&ledger, false) == GD_OK)
			;
		if (ledger.acknowledged == COMMITS) {
			ledger_clear(&ledger);
			break;
		}
		waited++;
		assert_true(store_is_full(ledger.store));
		if (room % 2 == 0)
			fault_vfs_disarm(); /* the commit finds room, at the latest when it ends */
		ledger_close(&ledger);
		assert_int_equal(ledger.is_in_doubt, room % 2 != 0);
		fault_vfs_disarm();
		ledger_check(&ledger, "a full disk");
		ledger_clear(&ledger);
	}
	assert_true(waited > 10);
}

static void given_a_full_disk_when_asked_then_reads_see_what_is_durable(void **state)
{
	struct gd_error why = { 0 };

	(void)state;
	fault_vfs_disarm();
	assert_int_equal(ledger_open(&ledger, &why), GD_OK);
	for (uint32_t i = 0; i < COMMITS; i++)
		assert_int_equal(ledger_commit(&ledger, true), GD_OK);
	fault_vfs_set_room(1000);
	while (ledger_commit(&ledger, false) == GD_OK)
		;

	assert_int_equal(ledger_count(&ledger), ledger.acknowledged);

	assert_true(store_is_full(ledger.store));
	assert_int_equal(store_seq(ledger.store), 2 * ledger.acknowledged - 3);
	fault_vfs_disarm();
	ledger_close(&ledger);
	assert_false(ledger.is_in_doubt);
	ledger_check(&ledger, "room again");
	ledger_clear(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_any_request_that_fails_once_when_reopened_then_nothing_is_lost),
		cmocka_unit_test(
			given_a_disk_that_fails_for_good_when_reopened_then_nothing_is_lost),
		cmocka_unit_test(
			given_a_write_that_ends_half_way_when_there_is_room_then_it_is_done_again),
		cmocka_unit_test(given_writes_that_end_half_way_when_reopened_then_nothing_is_lost),
		cmocka_unit_test(
			given_room_for_some_bytes_when_it_is_used_up_then_commits_wait_for_more),
		cmocka_unit_test(given_a_full_disk_when_asked_then_reads_see_what_is_durable),
	};

	return cmocka_run_group_tests_name("store_faults", tests, setup, teardown);
}
