/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/complaint.h"
#include "dataplane/vlan.h"

#include "tests/unit/seeded.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_WORDS     8
#define N_ROUND_TRIPS 3000
#define N_HOSTILE     100000
#define TAG(vid)      (SW_VLAN_PRESENT | (vid))
#define DENIED        -1

/* Cuts `text` at its blanks and parses the words; 0 or -EINVAL. */
static int parse_text(const char *text, struct vlan_config *ret, struct complaint *complaint)
{
	const char *words[MAX_WORDS];
	size_t n = 0, size = strlen(text) + 1;
	char *copy = strdup(text), *save = NULL;
	int error;

	for (char *word = strtok_r(copy, " ", &save); word && n < MAX_WORDS; word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	error = vlan_parse(words, n, ret, complaint);
	memset(copy, 'x', size); /* nothing may be borrowed */
	free(copy);
	return error;
}

static struct vlan_config parse(const char *text)
{
	struct vlan_config vlan;
	struct complaint complaint = {""};

	ck_assert_msg(!parse_text(text, &vlan, &complaint), "%s: %s", text, complaint.text);
	return vlan;
}

static const struct {
	const char *vlan;
	uint16_t tci;
	int vid; /* or DENIED */
} admits[] = {
	{"open", 0, 0},
	{"open", TAG(0), 0},
	{"open", TAG(1), 1},
	{"open", TAG(4094), 4094},
	{"open", TAG(4095), DENIED},
	{"access 10", 0, 10},
	{"access 10", TAG(0), 10},
	{"access 10", TAG(10), DENIED},
	{"access 10", TAG(11), DENIED},
	{"access 10", TAG(4095), DENIED},
	{"trunk 10,20", 0, DENIED},
	{"trunk 10,20", TAG(0), DENIED},
	{"trunk 10,20", TAG(10), 10},
	{"trunk 10,20", TAG(20), 20},
	{"trunk 10,20", TAG(15), DENIED},
	{"trunk all", TAG(4094), 4094},
	{"trunk all", TAG(4095), DENIED},
	{"trunk all", 0, DENIED},
	{"trunk 10,20,30 native 1", 0, 1},
	{"trunk 10,20,30 native 1", TAG(0), 1},
	{"trunk 10,20,30 native 1", TAG(1), 1},
	{"trunk 10,20,30 native 1", TAG(2), DENIED},
	{"trunk 10-20 native 10 tagged", 0, 10},
	{"trunk 10-20 native 10 tagged", TAG(10), 10},
	/* What lies above the presence bit is priority, and does not matter. */
	{"access 10", 0xe000, 10},
	{"trunk 10", 0xe000 | TAG(10), 10},
	/* Without the presence bit there is no VID. */
	{"open", 10, 0},
};

START_TEST(a_frame_belongs_to_the_vlan_that_its_port_says)
{
	struct vlan_config vlan = parse(admits[_i].vlan);
	uint16_t vid = 12345;
	enum sw_drop drop = vlan_admit(&vlan, admits[_i].tci, &vid);

	if (admits[_i].vid == DENIED) {
		ck_assert_msg(drop == SW_DROP_VLAN_DENIED, "%s, tci %#x: admitted to %u", admits[_i].vlan,
			admits[_i].tci, vid);
		ck_assert_uint_eq(vid, 12345);
		return;
	}
	ck_assert_msg(!drop, "%s, tci %#x: denied", admits[_i].vlan, admits[_i].tci);
	ck_assert_msg(vid == admits[_i].vid, "%s, tci %#x: VLAN %u", admits[_i].vlan, admits[_i].tci, vid);
}
END_TEST

static const struct {
	const char *vlan;
	uint16_t vid;
	enum vlan_form form;
} leaves[] = {
	{"open", 0, VLAN_UNTAGGED},
	{"open", 10, VLAN_TAGGED},
	{"open", 4094, VLAN_TAGGED},
	{"access 10", 10, VLAN_UNTAGGED},
	{"access 10", 11, VLAN_NOT_A_MEMBER},
	{"access 10", 0, VLAN_NOT_A_MEMBER},
	{"trunk 10,20", 10, VLAN_TAGGED},
	{"trunk 10,20", 11, VLAN_NOT_A_MEMBER},
	{"trunk 10,20", 0, VLAN_NOT_A_MEMBER},
	{"trunk all", 0, VLAN_NOT_A_MEMBER},
	{"trunk 10,20,30 native 1", 1, VLAN_UNTAGGED},
	{"trunk 10,20,30 native 1", 10, VLAN_TAGGED},
	{"trunk 10,20,30 native 20", 20, VLAN_UNTAGGED},
	{"trunk 10,20,30 native 20 untagged", 20, VLAN_UNTAGGED},
	{"trunk 10,20,30 native 20 tagged", 20, VLAN_TAGGED},
};

START_TEST(a_frame_leaves_in_the_form_that_its_port_says)
{
	struct vlan_config vlan = parse(leaves[_i].vlan);

	ck_assert_msg(
		vlan_leave(&vlan, leaves[_i].vid) == leaves[_i].form, "%s, VLAN %u", leaves[_i].vlan, leaves[_i].vid);
}
END_TEST

START_TEST(the_untagged_vlan_is_the_one_that_leaves_untagged)
{
	static const char *const texts[] = {"open", "access 10", "trunk 10,20", "trunk all native 7",
		"trunk all native 7 tagged", "trunk 4094 native 4094"};
	static const uint16_t untagged[] = {0, 10, 0, 7, 0, 4094};

	for (int i = 0; i < 6; i++) {
		struct vlan_config vlan = parse(texts[i]);

		ck_assert_msg(vlan_untagged(&vlan) == untagged[i], "%s", texts[i]);
		for (uint16_t vid = 1; vid < VLAN_IDS; vid++)
			ck_assert_msg((vlan_leave(&vlan, vid) == VLAN_UNTAGGED) == (vid == untagged[i]), "%s: %u",
				texts[i], vid);
	}
}
END_TEST

static const struct {
	const char *text, *printed;
} spellings[] = {
	{"open", "open"},
	{"access 10", "access 10"},
	{"access 1", "access 1"},
	{"access 4094", "access 4094"},
	{"trunk 10,20,30 native 1", "trunk 10,20,30 native 1"},
	{"trunk 1,10,20,30 native 1", "trunk 10,20,30 native 1"},
	{"trunk all", "trunk all"},
	{"trunk 1-4094", "trunk all"},
	{"trunk all native 5 tagged", "trunk all native 5 tagged"},
	{"trunk 10,20-29 native 5 untagged", "trunk 10,20-29 native 5"},
	{"trunk 10,20-29 native 25", "trunk 10,20-29 native 25"},
	{"trunk 10,20-29 native 19", "trunk 10,19-29 native 19"},
	{"trunk 5 native 5", "trunk 5 native 5"},
	{"trunk 4094,1", "trunk 1,4094"},
	{"trunk 3,2,1,2", "trunk 1-3"},
	{"trunk 010", "trunk 10"},
	{"trunk 2-4094 native 1", "trunk all native 1"},
	{"trunk 1-4093 native 4094", "trunk all native 4094"},
};

START_TEST(a_spelling_is_printed_in_its_plain_form_and_means_the_same)
{
	struct vlan_config vlan = parse(spellings[_i].text), again;
	char text[256];

	ck_assert_uint_eq(vlan_format(&vlan, text, sizeof(text)), strlen(spellings[_i].printed));
	ck_assert_str_eq(text, spellings[_i].printed);
	again = parse(text);
	ck_assert_mem_eq(&vlan, &again, sizeof(vlan));
}
END_TEST

static const struct {
	const char *text, *word;
} refused[] = {
	{"", "open, access or trunk"},
	{"closed", "'closed'"},
	{"Open", "'Open'"},
	{"open 1", "'1'"},
	{"access", "from 1 to 4094"},
	{"access 0", "'0'"},
	{"access 4095", "'4095'"},
	{"access 99999999999999999999", "'99999999999999999999'"},
	{"access ten", "'ten'"},
	{"access 10x", "'10x'"},
	{"access -1", "'-1'"},
	{"access +1", "'+1'"},
	{"access 10,20", "'10,20'"},
	{"access 10 20", "'20'"},
	{"trunk", "all"},
	{"trunk none", "'none'"},
	{"trunk 10,", "''"},
	{"trunk ,10", "''"},
	{"trunk 10,,20", "''"},
	{"trunk 10,0", "'0'"},
	{"trunk 10,4095", "'4095'"},
	{"trunk 10-", "'10-'"},
	{"trunk -10", "'-10'"},
	{"trunk 20-10", "'20-10'"},
	{"trunk 10-20-30", "'10-20-30'"},
	{"trunk 1-4095", "'1-4095'"},
	{"trunk 10;20", "'10;20'"},
	{"trunk all,10", "'all'"},
	{"trunk 10 20", "'20'"},
	{"trunk 10 native", "native"},
	{"trunk 10 native 0", "'0'"},
	{"trunk 10 native all", "'all'"},
	{"trunk 10 native 1 maybe", "'maybe'"},
	{"trunk 10 native 1 tagged 7", "'7'"},
	{"trunk native 1", "'native'"},
};

START_TEST(bad_words_are_refused_by_name)
{
	struct complaint complaint = {""};
	struct vlan_config vlan, before;

	memset(&vlan, 0x5a, sizeof(vlan));
	before = vlan;
	ck_assert_msg(parse_text(refused[_i].text, &vlan, &complaint) == -EINVAL, "took '%s'", refused[_i].text);
	ck_assert_msg(strstr(complaint.text, refused[_i].word), "'%s': the complaint '%s' lacks %s", refused[_i].text,
		complaint.text, refused[_i].word);
	ck_assert_msg(strstr(complaint.text, "expected"), "'%s': '%s'", refused[_i].text, complaint.text);
	ck_assert_mem_eq(&vlan, &before, sizeof(vlan));
}
END_TEST

static struct vlan_config random_trunk(struct seeded *random)
{
	struct vlan_config vlan = {.mode = VLAN_TRUNK};

	for (uint32_t n = 1 + seeded_below(random, 12); n; n--) {
		uint32_t vid = 1 + seeded_below(random, 4094), last = vid + seeded_below(random, 2) * 5;

		for (; vid <= last && vid <= 4094; vid++)
			vlan.allowed[vid / 64] |= 1ULL << vid % 64;
	}
	if (seeded_below(random, 2)) {
		vlan.vid = (uint16_t)(1 + seeded_below(random, 4094));
		vlan.allowed[vlan.vid / 64] |= 1ULL << vlan.vid % 64;
		vlan.native_tagged = seeded_below(random, 2);
	}
	return vlan;
}

START_TEST(random_trunks_survive_being_printed_and_read)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_ROUND_TRIPS; i++) {
		struct vlan_config vlan = random_trunk(&random), again;
		struct complaint complaint = {""};
		char text[512];

		ck_assert_uint_lt(vlan_format(&vlan, text, sizeof(text)), sizeof(text));
		ck_assert_msg(!parse_text(text, &again, &complaint), "seed %#lx: '%s': %s", random.seed, text,
			complaint.text);
		ck_assert_msg(!memcmp(&vlan, &again, sizeof(vlan)), "seed %#lx: '%s'", random.seed, text);
	}
}
END_TEST

START_TEST(the_longest_list_is_cut_and_its_length_told)
{
	struct vlan_config vlan = {.mode = VLAN_TRUNK};
	char text[32 * 1024], cut[64];
	size_t length;

	for (uint32_t vid = 1; vid <= 4094; vid += 2)
		vlan.allowed[vid / 64] |= 1ULL << vid % 64;
	length = vlan_format(&vlan, text, sizeof(text));
	ck_assert_uint_eq(length, strlen(text));
	ck_assert_uint_eq(vlan_format(&vlan, cut, sizeof(cut)), length);
	ck_assert_uint_eq(strlen(cut), sizeof(cut) - 1);
	ck_assert(!strncmp(cut, text, sizeof(cut) - 1));
	ck_assert_uint_eq(vlan_format(&vlan, NULL, 0), length);
}
END_TEST

START_TEST(hostile_words_are_read_or_refused)
{
	static const char spice[] = "0123456789,,--- alntrukcesogivped\xff";
	struct seeded random = seeded_start();

	for (int i = 0; i < N_HOSTILE; i++) {
		struct vlan_config vlan;
		char text[128];

		strcpy(text, spellings[seeded_below(&random, sizeof(spellings) / sizeof(spellings[0]))].text);
		for (uint32_t n = 1 + seeded_below(&random, 3); n; n--)
			text[seeded_below(&random, (uint32_t)strlen(text))] =
				spice[seeded_below(&random, sizeof(spice) - 1)];
		if (parse_text(text, &vlan, NULL))
			continue;
		ck_assert_msg(vlan.vid < VLAN_IDS && !(vlan.allowed[0] & 1) && !(vlan.allowed[63] >> 63),
			"seed %#lx: '%s'", random.seed, text);
		ck_assert_msg(vlan.mode != VLAN_ACCESS || vlan.vid, "seed %#lx: '%s'", random.seed, text);
	}
}
END_TEST

#define LOOP(name, table) tcase_add_loop_test(tcase, name, 0, (int)(sizeof(table) / sizeof(table[0])))

int main(void)
{
	TCase *tcase = tcase_create("vlan");
	Suite *suite = suite_create("vlan");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	LOOP(a_frame_belongs_to_the_vlan_that_its_port_says, admits);
	LOOP(a_frame_leaves_in_the_form_that_its_port_says, leaves);
	tcase_add_test(tcase, the_untagged_vlan_is_the_one_that_leaves_untagged);
	LOOP(a_spelling_is_printed_in_its_plain_form_and_means_the_same, spellings);
	LOOP(bad_words_are_refused_by_name, refused);
	tcase_add_test(tcase, random_trunks_survive_being_printed_and_read);
	tcase_add_test(tcase, the_longest_list_is_cut_and_its_length_told);
	tcase_add_test(tcase, hostile_words_are_read_or_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
