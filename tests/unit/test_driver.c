/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of drivers: that its rows make sense, who is believed, and that docs/drivers.md says the same.
 * `test_driver --print` prints the table as it should stand there.
 */
#include "dataplane/driver.h"

#include "dataplane/netdev.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE SOURCE_ROOT "/docs/drivers.md"
#define HEADER                                                                                                         \
	"| driver | native | redirects to it | in several buffers | AF_XDP without a copy | MTU in one buffer | "      \
	"queues | else |"

/* "yes", "no", or since which of the two versions. */
static const char *since(const struct driver *driver, uint32_t bits)
{
	bool old = (driver->in_6_1 & bits) == bits, new = (driver->in_6_12 & bits) == bits;

	return old && new ? "yes" : new ? "6.12" : old ? "6.1 only" : "no";
}

static const char *native(const struct driver *driver)
{
	if ((driver->in_6_12 & NETDEV_XDP_BASIC) && !(driver->in_6_12 & NETDEV_XDP_REDIRECT))
		return "redirects nothing";
	return since(driver, NETDEV_XDP_BASIC);
}

static void put_row(const struct driver *driver, char *text, size_t size)
{
	char mtu[16] = "not known";
	bool any = driver->in_6_12 & NETDEV_XDP_BASIC;

	if (driver->mtu)
		snprintf(mtu, sizeof(mtu), "%u", driver->mtu);
	if (any)
		snprintf(text, size, "| %s | %s | %s | %s | %s | %s | %s | %s |", driver->name, native(driver),
			since(driver, NETDEV_XDP_XMIT), since(driver, NETDEV_XDP_RX_SG),
			since(driver, NETDEV_XDP_ZEROCOPY), mtu, driver_queues_text(driver->queues), driver->note);
	else
		snprintf(text, size, "| %s | no | | | | | | |", driver->name);
}

static void print(void)
{
	const struct driver *driver;
	char row[1024];

	puts(HEADER "\n| --- | --- | --- | --- | --- | --- | --- | --- |");
	for (size_t i = 0; (driver = driver_at(i)); i++) {
		put_row(driver, row, sizeof(row));
		puts(row);
	}
}

/* The rows of the page's table, in order, and nothing else: line by line, with its header before. */
START_TEST(page_has_the_rows_of_the_table_and_no_others)
{
	FILE *page = fopen(PAGE, "r");
	char line[2048], due[1024];
	size_t n = 0;
	bool inside = false;

	ck_assert_msg(page, "cannot open " PAGE);
	while (fgets(line, sizeof(line), page)) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, HEADER) == 0) {
			inside = true;
			ck_assert_msg(fgets(line, sizeof(line), page) && strncmp(line, "| ---", 5) == 0,
				"the header stands above no table");
			continue;
		}
		if (inside && line[0] != '|')
			inside = false;
		if (!inside)
			continue;
		ck_assert_msg(driver_at(n), "more than the table has: %s", line);
		put_row(driver_at(n), due, sizeof(due));
		ck_assert_str_eq(line, due);
		n++;
	}
	fclose(page);
	ck_assert_msg(n && !driver_at(n), "%zu rows, and %s is next", n, driver_at(n) ? driver_at(n)->name : "none");
}
END_TEST

START_TEST(rows_make_sense)
{
	const struct driver *driver;

	for (size_t i = 0; (driver = driver_at(i)); i++) {
		ck_assert_msg(driver_find(driver->name) == driver, "%s is there twice", driver->name);
		ck_assert_uint_lt(strlen(driver->name), sizeof(((struct netdev_info *)0)->driver));
		ck_assert_msg((driver->in_6_1 & ~driver->in_6_12) == 0, "%s unlearned something", driver->name);
		ck_assert_msg(driver->in_6_12 & NETDEV_XDP_BASIC || !driver->in_6_12, "%s: what without a program?",
			driver->name);
		ck_assert_msg(!driver->mtu || (driver->mtu >= 1500 && driver->mtu < 4096), "%s: MTU %u", driver->name,
			driver->mtu);
		ck_assert(driver_queues_text(driver->queues));
	}
	ck_assert_ptr_null(driver_find(""));
	ck_assert_ptr_null(driver_find("nosuch"));
}
END_TEST

START_TEST(kernel_is_believed_before_the_table)
{
	struct netdev_info info = {.driver = "mlx4_en"};
	uint64_t features = 0;

	ck_assert(driver_features(&info, &features));
	ck_assert_uint_eq(features, NETDEV_XDP_BASIC | NETDEV_XDP_REDIRECT); /* of 6.1 */
	info.xdp_features_known = true;
	info.xdp_features = NETDEV_XDP_BASIC;
	ck_assert(driver_features(&info, &features));
	ck_assert_uint_eq(features, NETDEV_XDP_BASIC);
	info.xdp_features_known = false;
	strcpy(info.driver, "nosuch");
	ck_assert(!driver_features(&info, &features));
	ck_assert_uint_eq(driver_mtu(&info), 0);
}
END_TEST

/* The numbers of the table are for such pages. */
START_TEST(largest_mtu_is_known_with_pages_of_4_kib)
{
	struct netdev_info info = {.driver = "ice"};

	ck_assert_uint_eq(driver_mtu(&info), sysconf(_SC_PAGESIZE) == 4096 ? 3046 : 0);
}
END_TEST

START_TEST(a_refusal_is_explained_by_what_is_known)
{
	char why[400] = "its driver refuses native mode: Invalid argument", none[400] = "";

	driver_explain("ixgbe", why, sizeof(why));
	ck_assert_msg(strstr(why, "Invalid argument; of ixgbe is known: not while SR-IOV"), "said: %s", why);
	driver_explain("ixgbe", none, sizeof(none));
	ck_assert_str_eq(none, ""); /* it did not refuse */
	strcpy(why, "no");
	driver_explain("nosuch", why, sizeof(why));
	driver_explain("igb", why, sizeof(why));
	ck_assert_str_eq(why, "no");
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("driver");
	TCase *t = tcase_create("table");
	SRunner *runner;
	int failed;

	if (argc > 1 && strcmp(argv[1], "--print") == 0) {
		print();
		return EXIT_SUCCESS;
	}
	tcase_add_test(t, rows_make_sense);
	tcase_add_test(t, kernel_is_believed_before_the_table);
	tcase_add_test(t, largest_mtu_is_known_with_pages_of_4_kib);
	tcase_add_test(t, a_refusal_is_explained_by_what_is_known);
	tcase_add_test(t, page_has_the_rows_of_the_table_and_no_others);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
