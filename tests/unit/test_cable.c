/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cable.h"

#include "dataplane/ethtool.h"

#include <check.h>
#include <stdlib.h>

static const struct {
	struct ethtool_link link;
	uint32_t features;
} cases[] = {
	{{.mbps = 0}, 0},
	{{.mbps = 0, .full_duplex = true, .copper = true}, OF_PORT_FEATURE_COPPER},
	{{.mbps = 10, .half_duplex = true, .copper = true}, OF_PORT_FEATURE_10MB_HD | OF_PORT_FEATURE_COPPER},
	{{.mbps = 100, .full_duplex = true}, OF_PORT_FEATURE_100MB_FD},
	{{.mbps = 1000, .full_duplex = true, .autoneg = true}, OF_PORT_FEATURE_1GB_FD | OF_PORT_FEATURE_AUTONEG},
	{{.mbps = 1000, .half_duplex = true}, OF_PORT_FEATURE_1GB_HD},
	{{.mbps = 10000}, OF_PORT_FEATURE_10GB_FD},
	{{.mbps = 10000, .half_duplex = true}, OF_PORT_FEATURE_OTHER},
	{{.mbps = 25000, .full_duplex = true, .fiber = true}, OF_PORT_FEATURE_OTHER | OF_PORT_FEATURE_FIBER},
	{{.mbps = 40000, .full_duplex = true}, OF_PORT_FEATURE_40GB_FD},
	{{.mbps = 100000, .full_duplex = true}, OF_PORT_FEATURE_100GB_FD},
	{{.mbps = 1000000, .full_duplex = true}, OF_PORT_FEATURE_1TB_FD},
};

START_TEST(each_cable_has_its_words)
{
	ck_assert_uint_eq(cable_features(&cases[_i].link), cases[_i].features);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cable");
	TCase *t = tcase_create("words");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, each_cable_has_its_words, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(s, t);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
