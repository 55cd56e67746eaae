/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel datapath: frames up and down, by flows, and to sets of ports. */
#include "tests/unit/dp_kernel_lab.h"

START_TEST(a_miss_goes_up_and_is_sent_out_of_another_port)
{
	uint8_t sent[200], got[2000];
	struct dp_frame frame;

	two_ports();
	lab_send(&lab, 0, sent, lab_frame(sent, 0, 1, 7, sizeof(sent)));
	ck_assert(lab_rx(&lab, &frame));
	ck_assert_uint_eq(frame.in_port, 1);
	ck_assert_uint_eq(frame.reason, SW_UPCALL_MISS);
	ck_assert_uint_eq(frame.size, sizeof(sent));
	ck_assert_mem_eq(frame.data, sent, sizeof(sent));
	ck_assert_uint_ge(frame.headroom, 64);
	ck_assert_int_eq(lab.dp->ops->tx(lab.dp, 2, &frame), 0);
	ck_assert_uint_eq(lab_receive(&lab, 1, got, sizeof(got), 50), 0); /* nothing before flush() */
	lab.dp->ops->flush(lab.dp);
	ck_assert_uint_eq(lab_receive(&lab, 1, got, sizeof(got), 1000), sizeof(sent));
	ck_assert_mem_eq(got, sent, sizeof(sent));
	lab_close(&lab, true);
}
END_TEST

START_TEST(an_installed_flow_redirects_without_the_daemon)
{
	uint8_t frame[100];
	struct dp_frame up;

	two_ports();
	lab_flow(&lab, 0, SW_OP_OUTPUT, 2);
	for (int i = 0; i < 100; i++)
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, i, sizeof(frame)));
	ck_assert_uint_eq(lab_count(&lab, 1, 200), 100);
	lab_run(&lab, 5);
	ck_assert_uint_eq(lab.dp->ops->rx(lab.dp, &up, 1), 0);
	lab_close(&lab, true);
}
END_TEST

START_TEST(an_upcall_asked_for_by_a_flow_names_its_slot)
{
	struct dp_frame up;
	uint8_t frame[100];
	uint32_t slot;

	two_ports();
	lab_flow(&lab, 1, SW_OP_DROP, SW_DROP_RULE);
	slot = lab_flow(&lab, 0, SW_OP_UPCALL, SW_UPCALL_ACTION);
	lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, 1, sizeof(frame)));
	ck_assert(lab_rx(&lab, &up));
	ck_assert_uint_eq(up.reason, SW_UPCALL_ACTION);
	ck_assert_uint_eq(up.slot, slot);
	lab.dp->ops->release(lab.dp, &up);
	lab_close(&lab, true);
}
END_TEST

/* Every frame of a burst that a fill ring can hold comes up, in order, and goes down again, in order. */
START_TEST(a_burst_keeps_its_order_up_and_down)
{
	uint8_t frame[100], got[2000];
	struct dp_frame up;

	two_ports();
	for (uint32_t i = 0; i < 400; i++)
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, i, sizeof(frame)));
	for (uint32_t i = 0; i < 400; i++) {
		ck_assert_msg(lab_rx(&lab, &up), "frame %u", i);
		ck_assert_uint_eq(lab_number(up.data), i);
		ck_assert_int_eq(lab.dp->ops->tx(lab.dp, 2, &up), 0);
	}
	lab.dp->ops->flush(lab.dp);
	for (uint32_t i = 0; i < 400; i++) {
		ck_assert_uint_eq(lab_receive(&lab, 1, got, sizeof(got), 500), sizeof(frame));
		ck_assert_uint_eq(lab_number(got), i);
	}
	lab_close(&lab, true);
}
END_TEST

/* More than the UMEM holds, a batch at a time: no frame may be lost in the books (X1). */
START_TEST(frames_are_not_used_up)
{
	struct dp_frame up;
	uint8_t frame[100];

	two_ports();
	for (uint32_t i = 0; i < 12000; i++) {
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, i, sizeof(frame)));
		if (i % 50)
			continue;
		for (int n = 0; n < (i ? 50 : 1); n++) {
			ck_assert_msg(lab_rx(&lab, &up), "frame %u", i);
			if (n % 3 == 0)
				lab.dp->ops->tx_copy(lab.dp, 2, up.data, up.size);
			if (n % 2)
				ck_assert_int_eq(lab.dp->ops->tx(lab.dp, 2, &up), 0);
			else
				lab.dp->ops->release(lab.dp, &up);
		}
		lab.dp->ops->flush(lab.dp);
	}
	lab_close(&lab, true);
}
END_TEST

static void wire_jumbo(int mtu)
{
	lab_enter(&lab);
	lab_wire(&lab, 0, mtu, 1);
	lab_wire(&lab, 1, mtu, 1);
	lab_open(&lab);
	lab_port(&lab, 0, mtu + 18, 1);
	lab_port(&lab, 1, mtu + 18, 1);
}

static void up_and_down(uint32_t size)
{
	static uint8_t sent[70000], got[70000];
	struct dp_frame up;

	lab_send(&lab, 0, sent, lab_frame(sent, 0, 1, size, size));
	ck_assert_msg(lab_rx(&lab, &up), "%u bytes", size);
	ck_assert_uint_eq(up.size, size);
	ck_assert_mem_eq(up.data, sent, size);
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, up.data, up.size), 0);
	ck_assert_int_eq(lab.dp->ops->tx(lab.dp, 2, &up), 0);
	lab.dp->ops->flush(lab.dp);
	for (int i = 0; i < 2; i++) {
		ck_assert_msg(lab_receive(&lab, 1, got, sizeof(got), 1000) == size, "%u bytes, %d", size, i);
		ck_assert_mem_eq(got, sent, size);
	}
}

/* Without it a frame that one buffer cannot hold is dropped, and the drop has a name. */
static void only_short_frames(void)
{
	static uint8_t sent[9014];
	struct dp_frame up;

	up_and_down(3840);
	lab_send(&lab, 0, sent, lab_frame(sent, 0, 1, 1, sizeof(sent)));
	ck_assert(!lab_rx(&lab, &up));
	ck_assert_uint_eq(lab_drops(&lab, 1, SW_DROP_UPCALL_TOO_BIG), 1);
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, sent, sizeof(sent)), -EMSGSIZE);
	lab_close(&lab, true);
}

START_TEST(jumbo_frames_go_up_and_down_whole)
{
	wire_jumbo(9000);
	if (!lab_has_multi_buffer()) {
		only_short_frames();
		return;
	}
	for (uint32_t size = 3820; size < 3870; size++)
		up_and_down(size);
	for (uint32_t size = 4080; size < 4110; size++)
		up_and_down(size);
	for (uint32_t size = 7660; size < 7700; size++)
		up_and_down(size);
	up_and_down(9014);
	lab_close(&lab, true);
}
END_TEST

START_TEST(the_longest_frames_go_up_and_down_whole)
{
	wire_jumbo(65000);
	if (!lab_has_multi_buffer()) {
		only_short_frames();
		return;
	}
	up_and_down(40000);
	up_and_down(65014);
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_peer_without_napi_is_reached_by_tx)
{
	uint8_t frame[100];

	two_ports();
	lab_sh("ethtool -K hkb1 gro off 2>/dev/null");
	lab_flow(&lab, 0, SW_OP_OUTPUT, 2);
	lab_frame(frame, 0, 1, 1, sizeof(frame));
	lab_send(&lab, 0, frame, sizeof(frame));
	ck_assert_uint_eq(lab_count(&lab, 1, 100), 0); /* by redirect it is not */
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame)), 0);
	lab.dp->ops->flush(lab.dp);
	ck_assert_uint_eq(lab_count(&lab, 1, 200), 1);
	lab_close(&lab, true);
}
END_TEST

START_TEST(tx_says_why_it_cannot)
{
	struct dp_port port;
	struct complaint c;
	uint8_t frame[100];

	two_ports();
	lab_frame(frame, 0, 1, 1, sizeof(frame));
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 9, frame, sizeof(frame)), -ENODEV);
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, 0), -EMSGSIZE);
	lab_sh("ip link set hkb0 down");
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame)), 0);
	lab.dp->ops->flush(lab.dp);
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame)), -ENETDOWN);
	lab_sh("ip link set hkb0 up");
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame)), 0);
	lab.dp->ops->flush(lab.dp);
	ck_assert_uint_ge(lab_count(&lab, 1, 200), 1);
	port = lab_port_record(&lab, 1, FRAME_MAX, 1);
	port.ifindex = 99999;
	ck_assert_int_eq(lab.dp->ops->port_put(lab.dp, &port, &c), -ENODEV);
	lab_close(&lab, true);
}
END_TEST

/* ---- when there are no frames left ---- */

struct book {
	unsigned total, free, fill, lent, tx;
};

static void saw_text(void *ctx, const char *name, const char *value)
{
	struct book *book = ctx;

	if (strcmp(name, "slow path frames") == 0)
		ck_assert_int_eq(sscanf(value, "%u of 4096 bytes: %u free, %u to be filled, %u lent, %u being sent",
					 &book->total, &book->free, &book->fill, &book->lent, &book->tx),
			5);
}

static void saw_program(void *ctx, const struct fact_program *program)
{
}

static void saw_map(void *ctx, const struct fact_map *map)
{
}

static void saw_link(void *ctx, const struct fact_link *link)
{
}

static void saw_memory(void *ctx, const struct fact_memory *memory)
{
}

/* Where the frames are; each is somewhere (X1). */
static struct book book_now(void)
{
	struct book book = {0};
	struct facts facts = {.ctx = &book,
		.text = saw_text,
		.program = saw_program,
		.map = saw_map,
		.link = saw_link,
		.memory = saw_memory};

	lab.dp->ops->describe(lab.dp, &facts);
	ck_assert_uint_gt(book.total, 0);
	ck_assert_uint_eq(book.free + book.fill + book.lent + book.tx, book.total);
	return book;
}

#define KEPT 4096

static struct dp_frame kept[KEPT];
static uint32_t n_kept, n_sent; /* but for what is released again */

/* Guest A sends n frames. Of all that it sent, each is up, and kept here, or lost by name (D1). */
static void send_and_keep(uint32_t n)
{
	uint8_t frame[100];
	uint64_t lost = 0;

	for (; n; n--, n_sent++)
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, n_sent, sizeof(frame)));
	for (int i = 0; i < 2000 && n_kept + lost != n_sent; i++) {
		lab_run(&lab, 1);
		n_kept += lab.dp->ops->rx(lab.dp, kept + n_kept, KEPT - n_kept);
		lost = lab_drops(&lab, 1, SW_DROP_UPCALL_FULL);
	}
	ck_assert_uint_eq(n_kept + lost, n_sent);
}

static void release_kept(void)
{
	while (n_kept)
		lab.dp->ops->release(lab.dp, &kept[--n_kept]);
	n_sent = lab_drops(&lab, 1, SW_DROP_UPCALL_FULL);
	lab.dp->ops->flush(lab.dp);
}

/* Copies that port B takes, up to so many, and why it does not take one more. */
static uint32_t copies_taken(uint32_t most, int *ret_error)
{
	uint8_t frame[100];
	uint32_t n = 0;

	lab_frame(frame, 0, 1, 1, sizeof(frame));
	while (n < most && !(*ret_error = lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame))))
		n++;
	return n;
}

/* What guest C sends is a known flow's, out of port D. */
static void known_flow_loses_nothing(void)
{
	uint8_t frame[100];

	for (uint32_t i = 0; i < 300; i++)
		lab_send(&lab, 2, frame, lab_frame(frame, 2, 3, i, sizeof(frame)));
	ck_assert_uint_eq(lab_count(&lab, 3, 200), 300);
}

START_TEST(with_every_frame_in_use_each_loss_has_a_name_and_it_ends)
{
	struct book book;
	uint64_t lost;
	uint32_t n;
	int error;

	ports(4);
	lab_flow(&lab, 2, SW_OP_OUTPUT, 4);
	for (int i = 0; i < 100; i++)
		send_and_keep(50);
	book = book_now();
	ck_assert_uint_eq(book.lent, n_kept);
	ck_assert_uint_ge(book.free, book.total / 32); /* X3 */
	ck_assert_uint_gt(lab_drops(&lab, 1, SW_DROP_UPCALL_FULL), 0);
	known_flow_loses_nothing();

	lab_sh("ip link set hkb0 down"); /* what is sent there stays */
	n = copies_taken(KEPT, &error);
	ck_assert_int_eq(dp_drop_of(error), SW_DROP_TX_FULL);
	ck_assert_uint_eq(n, book.free);
	book = book_now();
	ck_assert_uint_eq(book.free, 0);
	ck_assert_uint_eq(book.tx, n);
	send_and_keep(50);
	known_flow_loses_nothing();
	lab_sh("ip link set hkb0 up");
	lab.dp->ops->flush(lab.dp);
	ck_assert_uint_eq(copies_taken(1000, &error), 1000); /* what waits is sent before one more is refused */
	lab.dp->ops->flush(lab.dp);
	ck_assert_uint_eq(lab_count(&lab, 1, 200), n + 1000);

	release_kept();
	ck_assert_uint_eq(book_now().lent, 0);
	lost = lab_drops(&lab, 1, SW_DROP_UPCALL_FULL);
	for (int i = 0; i < 20; i++) {
		send_and_keep(50);
		release_kept();
	}
	ck_assert_uint_eq(lab_drops(&lab, 1, SW_DROP_UPCALL_FULL), lost);
	lab_close(&lab, true);
}
END_TEST

/* 900 queues: harmonically as many frames as there may be in fill rings, and the last ones get none. */
START_TEST(a_port_for_which_no_frame_is_left_gets_some_when_others_go)
{
	struct dp_frame up;
	struct book book;
	uint8_t frame[100];

	lab_enter(&lab);
	lab_wire(&lab, 0, MTU, 900);
	lab_wire(&lab, 1, MTU, 1);
	lab_open(&lab);
	lab_port(&lab, 0, FRAME_MAX, 900);
	lab_port(&lab, 1, FRAME_MAX, 1);
	book = book_now();
	ck_assert_uint_eq(book.free, book.total / 32); /* X3 */
	lab_frame(frame, 1, 0, 7, sizeof(frame));
	lab_send(&lab, 1, frame, sizeof(frame));
	ck_assert(!lab_rx(&lab, &up));
	ck_assert_uint_eq(lab_drops(&lab, 2, SW_DROP_UPCALL_FULL), 1);
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame)), 0);
	lab.dp->ops->flush(lab.dp);
	ck_assert_uint_eq(lab_count(&lab, 1, 200), 1);
	lab.dp->ops->port_remove(lab.dp, 1);
	lab_send(&lab, 1, frame, sizeof(frame));
	ck_assert(lab_rx(&lab, &up));
	ck_assert_uint_eq(lab_number(up.data), 7);
	lab.dp->ops->release(lab.dp, &up);
	lab_close(&lab, true);
}
END_TEST

/* ---- floods ---- */

static void flood_reaches(int n, unsigned reached)
{
	static uint32_t number;
	uint8_t frame[100];

	lab_send(&lab, 0, frame, lab_frame(frame, 0, -1, ++number, sizeof(frame)));
	for (int i = 0; i < n; i++)
		ck_assert_msg(lab_count(&lab, i, 30) == (reached >> i & 1), "guest %d, of %x", i, reached);
}

START_TEST(a_set_follows_its_members)
{
	static const uint16_t ids[] = {1, 2, 3, 4};

	ports(4);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 3, ids, 3), 0);
	lab_flow(&lab, 0, SW_OP_BROADCAST, 3);
	flood_reaches(4, 0x6);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 3, ids, 4), 0);
	flood_reaches(4, 0xe);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 3, ids + 2, 2), 0);
	flood_reaches(4, 0xc);
	lab.dp->ops->port_remove(lab.dp, 4);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 3, ids, 4), 0); /* 4 has no device now */
	flood_reaches(4, 0x6);
	lab.dp->ops->set_remove(lab.dp, 3);
	flood_reaches(4, 0);
	ck_assert_uint_eq(lab_drops(&lab, 1, SW_DROP_NO_OUTPUT), 1);
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_set_follows_one_of_its_members)
{
	static const uint16_t ids[] = {1, 2, 3, 4};

	ports(4);
	ck_assert_int_eq(lab.dp->ops->set_change(lab.dp, 3, ids, 4, 2), 0); /* there was nothing to change */
	lab_flow(&lab, 0, SW_OP_BROADCAST, 3);
	flood_reaches(4, 0xe);
	lab.dp->ops->port_remove(lab.dp, 4);
	ck_assert_int_eq(lab.dp->ops->set_change(lab.dp, 3, ids, 4, 4), 0); /* its device is there, and not ours */
	flood_reaches(4, 0x6);
	lab_port(&lab, 3, FRAME_MAX, 1);
	flood_reaches(4, 0x6);
	ck_assert_int_eq(lab.dp->ops->set_change(lab.dp, 3, ids, 4, 4), 0);
	flood_reaches(4, 0xe);
	lab.dp->ops->port_remove(lab.dp, 3);
	lab.dp->ops->port_remove(lab.dp, 4);
	lab.dp->ops->port_remove(lab.dp, 2);
	for (uint16_t id = 2; id <= 4; id++)
		ck_assert_int_eq(lab.dp->ops->set_change(lab.dp, 3, ids + 1, 3, id), 0);
	flood_reaches(4, 0);
	ck_assert_uint_eq(lab_drops(&lab, 1, SW_DROP_NO_OUTPUT), 1); /* it knows that there is nobody */
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_set_grows_and_shrinks)
{
	uint16_t ids[LAB_PORTS];

	ports(LAB_PORTS);
	for (int i = 0; i < LAB_PORTS; i++)
		ids[i] = i + 1;
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 0, ids, 2), 0);
	lab_flow(&lab, 0, SW_OP_BROADCAST, 0);
	flood_reaches(LAB_PORTS, 0x2);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 0, ids, LAB_PORTS), 0);
	flood_reaches(LAB_PORTS, 0xfffffe);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 0, ids, 3), 0);
	flood_reaches(LAB_PORTS, 0x6);
	lab_close(&lab, true);
}
END_TEST

static double seconds(void)
{
	return (double)lab.reactor.now_ns(NULL) / 1e9;
}

/* Else each new flood would hold up the daemon for a grace period. */
START_TEST(a_new_set_comes_from_stock)
{
	static const uint16_t ids[] = {1, 2};
	double before;

	two_ports();
	for (int i = 0; i < 40; i++) {
		lab_run(&lab, 20);
		ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, i, ids, 2), 0);
		lab_run(&lab, i % 8 ? 0 : 400);
	}
	before = seconds();
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 40, ids, 2), 0);
	ck_assert_msg(seconds() - before < 0.004, "%.1f ms", (seconds() - before) * 1000);
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_set_that_is_not_in_stock_is_made_by_the_end_of_a_grace_period)
{
	static const uint16_t ids[] = {1, 2};
	double before;

	two_ports();
	lab_run(&lab, 400);
	before = seconds();
	ck_assert(!lab.dp->ops->set_ready(lab.dp, 20, 2));
	ck_assert_msg(seconds() - before < 0.004, "%.1f ms", (seconds() - before) * 1000);
	lab.dp->ops->grace(lab.dp);
	for (int i = 0; i < 100 && !lab.n_graces; i++)
		lab_run(&lab, 50);
	ck_assert(lab.dp->ops->set_ready(lab.dp, 20, 2));
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 20, ids, 2), 0);
	lab_flow(&lab, 0, SW_OP_BROADCAST, 20);
	flood_reaches(2, 1 << 1);
	lab_close(&lab, true);
}
END_TEST

START_TEST(grace_ends_once_for_what_was_asked)
{
	two_ports();
	lab_run(&lab, 500);
	ck_assert_uint_eq(lab.n_graces, 0); /* the stock of sets is nobody's grace period */
	lab.dp->ops->grace(lab.dp);
	ck_assert_uint_eq(lab.n_graces, 0);
	lab_run(&lab, 700);
	ck_assert_uint_eq(lab.n_graces, 1);
	lab.dp->ops->grace(lab.dp);
	lab.dp->ops->grace(lab.dp);
	lab_run(&lab, 1000);
	ck_assert_uint_ge(lab.n_graces, 2);
	ck_assert_uint_le(lab.n_graces, 3);
	lab_close(&lab, true);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("dp_kernel");
	TCase *t = tcase_create("kernel");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_miss_goes_up_and_is_sent_out_of_another_port);
	tcase_add_test(t, an_installed_flow_redirects_without_the_daemon);
	tcase_add_test(t, an_upcall_asked_for_by_a_flow_names_its_slot);
	tcase_add_test(t, a_burst_keeps_its_order_up_and_down);
	tcase_add_test(t, frames_are_not_used_up);
	tcase_add_test(t, jumbo_frames_go_up_and_down_whole);
	tcase_add_test(t, the_longest_frames_go_up_and_down_whole);
	tcase_add_test(t, a_peer_without_napi_is_reached_by_tx);
	tcase_add_test(t, tx_says_why_it_cannot);
	tcase_add_test(t, with_every_frame_in_use_each_loss_has_a_name_and_it_ends);
	tcase_add_test(t, a_port_for_which_no_frame_is_left_gets_some_when_others_go);
	tcase_add_test(t, a_set_follows_its_members);
	tcase_add_test(t, a_set_follows_one_of_its_members);
	tcase_add_test(t, a_set_grows_and_shrinks);
	tcase_add_test(t, a_new_set_comes_from_stock);
	tcase_add_test(t, a_set_that_is_not_in_stock_is_made_by_the_end_of_a_grace_period);
	tcase_add_test(t, grace_ends_once_for_what_was_asked);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return lab_main(suite());
}
