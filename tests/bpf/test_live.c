/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of the program's verdicts: redirects, floods, upcalls and the names of losses, on real devices.
 * Each test runs in native and in generic mode.
 */
#include "live_lab.h"

#include "bpf/extract.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <xdp/xsk.h>

#define BRIDGE     7
#define FRAMES     64
#define FRAME_SIZE 4096

static void put_output(const struct packet *p, uint32_t port_id)
{
	put(p, 0, &(struct sw_step){.op = SW_OP_OUTPUT, .arg = port_id}, 1);
}

/* NORMAL in VLAN 10 for untagged frames: to port 2 they leave without a tag, to port 3 with one. */
static void put_normal(void)
{
	static const struct sw_step steps[] = {{.op = SW_OP_NORMAL, .arg = 10}, {.op = SW_OP_VLAN_PUSH, .arg = 10},
		{.op = SW_OP_BROADCAST, .arg = SET}};
	struct sw_key bits = {0}, key = {0};
	uint32_t slot;

	bits.f.in_ifindex = UINT32_MAX;
	bits.f.vlan_tci_be = htons(SW_VLAN_PRESENT | SW_VLAN_VID);
	key.f.in_ifindex = p_ifindex[1];
	f.config->n_order = 0;
	fixture_set_mask(&f, 0, &bits);
	slot = fixture_put(&f, &key, 0, 1, SW_FLOW_LEARN, steps, 3);
	fixture_set_bridge(&f, slot, BRIDGE);
}

static struct sw_fdb_cell *put_host(uint64_t mac, uint16_t port)
{
	const struct fixture_address host = {.mac = mac,
		.vid = 10,
		.bridge = BRIDGE,
		.port = port,
		.out = port == 3 ? SW_FDB_OUT_TAGGED : SW_FDB_OUT_UNTAGGED};

	return fixture_put_address(&f, &host);
}

/* ---- tests ---- */

START_TEST(an_output_arrives)
{
	struct packet p;

	setup(_i);
	packet_plain(&p, UNTAGGED, 200);
	put_output(&p, 2);
	put_frame(&p);
	check_arrives(2, &p);
	check_silence(3);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, 1);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_bytes, 200);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

START_TEST(tags_arrive_as_written)
{
	struct sw_step push[] = {{.op = SW_OP_VLAN_PUSH, .arg = 10}, {.op = SW_OP_OUTPUT, .arg = 2}};
	struct sw_step pop[] = {{.op = SW_OP_VLAN_POP}, {.op = SW_OP_OUTPUT, .arg = 3}};
	struct packet tagged, untagged;

	setup(_i);
	packet_plain(&tagged, 10, 300);
	untagged = tagged;
	packet_retag(&untagged, UNTAGGED);
	put(&untagged, 0, push, 2);
	put(&tagged, 0, pop, 2);
	put_frame(&untagged);
	check_arrives(2, &tagged);
	put_frame(&tagged);
	check_arrives(3, &untagged);
}
END_TEST

START_TEST(a_flood_is_untagged_for_each_port_of_its_own)
{
	struct sw_step steps[] = {{.op = SW_OP_VLAN_PUSH, .arg = 10}, {.op = SW_OP_BROADCAST, .arg = SET}};
	struct packet tagged, untagged;

	setup(_i);
	packet_plain(&tagged, 10, 300);
	untagged = tagged;
	packet_retag(&untagged, UNTAGGED);
	put(&untagged, 0, steps, 2);
	put_frame(&untagged);
	check_arrives(2, &untagged);
	check_arrives(3, &tagged);
	check_silence(1);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_bytes, 296);
	ck_assert_uint_eq(fixture_port_stats(&f, 3).tx_bytes, 300);
	ck_assert_uint_eq(fixture_port_stats(&f, 1).tx_frames, 0);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

/* The short way has such, which came with the tag, and how long they are is known when they are asked for. */
START_TEST(a_flood_that_came_tagged_is_untagged_there_too)
{
	struct packet tagged, untagged;

	setup(_i);
	packet_plain(&tagged, 10, 300);
	untagged = tagged;
	packet_retag(&untagged, UNTAGGED);
	fixture_send_home(&f, put(&tagged, 0, &(struct sw_step){.op = SW_OP_BROADCAST, .arg = SET}, 1), false);
	put_frame(&tagged);
	check_arrives(2, &untagged);
	check_arrives(3, &tagged);
	check_silence(1);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_bytes, 296);
	ck_assert_uint_eq(fixture_port_stats(&f, 3).tx_bytes, 300);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

/* What is behind port 3 is another port of ours. Its frames leave as its rule says, flooded or not before they came. */
START_TEST(a_flood_that_comes_in_by_another_port_is_unicast_like_any)
{
	const struct sw_step flood = {.op = SW_OP_BROADCAST, .arg = SET}, output = {.op = SW_OP_OUTPUT, .arg = 2};
	const struct sw_port port = {.id = 4, .max_rx_frame = 1518};
	struct packet tagged, untagged;
	struct sw_headers headers;
	struct sw_key key;

	setup(_i);
	packet_plain(&tagged, 10, 300);
	untagged = tagged;
	packet_retag(&untagged, UNTAGGED);
	put(&tagged, 0, &flood, 1);
	sw_extract(tagged.bytes, tagged.bytes + tagged.size, q_ifindex[3], SW_KEY_WORDS, &key, &headers);
	fixture_set_port(&f, q_ifindex[3], &port);
	fixture_put(&f, &key, 0, 4, 0, &output, 1);
	ck_assert_int_eq(
		bpf_xdp_attach(q_ifindex[3], bpf_program__fd(f.skel->progs.sw_ingress), XDP_FLAGS_DRV_MODE, NULL), 0);
	put_frame(&tagged);
	check_arrives(2, &untagged);
	check_arrives(2, &tagged);
	bpf_xdp_attach(q_ifindex[3], -1, XDP_FLAGS_DRV_MODE, NULL);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

START_TEST(normal_sends_to_where_an_address_lives)
{
	struct packet untagged, tagged;
	struct sw_fdb_cell *source, *other;

	setup(_i);
	put_normal();
	source = put_host(0x02000000000a, 1);
	other = put_host(0x02000000000b, 2);
	put_host(0x02000000000c, 3);
	packet_plain(&untagged, UNTAGGED, 300);
	packet_set_macs(&untagged, 0x02000000000b, 0x02000000000a);
	put_frame(&untagged);
	check_arrives(2, &untagged);
	check_silence(3);
	packet_set_macs(&untagged, 0x02000000000c, 0x02000000000a);
	tagged = untagged;
	packet_retag(&tagged, 10);
	put_frame(&untagged);
	check_arrives(3, &tagged);
	check_silence(2);
	ck_assert_uint_eq(fixture_port_stats(&f, 1).rx_frames, 2);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_bytes, 300);
	ck_assert_uint_eq(fixture_port_stats(&f, 3).tx_bytes, 304);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
	ck_assert_uint_eq(source->place.used, 1);
	ck_assert_uint_eq(other->place.used, 0);
}
END_TEST

START_TEST(normal_floods_until_an_address_is_learned)
{
	struct packet untagged, tagged;
	struct sw_fdb_cell *cell;

	setup(_i);
	put_normal();
	put_host(0x02000000000a, 1);
	packet_plain(&untagged, UNTAGGED, 300);
	packet_set_macs(&untagged, 0x02000000000b, 0x02000000000a);
	tagged = untagged;
	packet_retag(&tagged, 10);
	put_frame(&untagged);
	check_arrives(2, &untagged);
	check_arrives(3, &tagged);
	check_silence(1);
	cell = put_host(0x02000000000b, 3);
	put_frame(&untagged);
	check_arrives(3, &tagged);
	check_silence(2);
	cell->place.port = 2;
	put_frame(&untagged); /* port 2 now, in the form that the cell says, which is still tagged */
	check_arrives(2, &tagged);
	check_silence(3);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

START_TEST(an_unfinished_checksum_arrives_finished)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = 6, .size = 1001};
	uint64_t seed = 3;
	struct packet p;

	setup(_i);
	spec.csum = CSUM_UNFINISHED;
	packet_make(&p, &spec, &seed);
	put(&p, SW_FLOW_CSUM, &(struct sw_step){.op = SW_OP_OUTPUT, .arg = 2}, 1);
	put_frame(&p);
	packet_set_csum(&p, CSUM_FINISHED);
	check_arrives(2, &p);
	ck_assert_uint_eq(fixture_port_stats(&f, 1).csum_done, 1);
}
END_TEST

START_TEST(a_frame_over_the_outputs_mtu_is_named)
{
	struct packet p;
	int i;

	setup(_i);
	packet_plain(&p, UNTAGGED, 1300);
	put_output(&p, 2);
	sh("ip link set p2 mtu 1200");
	for (i = 0; i < 5; i++)
		put_frame(&p);
	check_drop(2, SW_DROP_OVER_MTU, 5);
	sh("ip link set p2 mtu 1500");
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, 0);
	check_silence(2);
}
END_TEST

START_TEST(a_frame_for_a_port_that_is_down_is_named)
{
	struct packet p;
	int i;

	setup(_i);
	packet_plain(&p, UNTAGGED, 100);
	put_output(&p, 2);
	sh("ip link set p2 down");
	for (i = 0; i < 5; i++)
		put_frame(&p);
	check_drop(2, SW_DROP_PORT_DOWN, 5);
	sh("ip link set p2 up");
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, 0);
}
END_TEST

/* Native only: a generic redirect sends an skb, which needs no NAPI. */
START_TEST(a_peer_without_napi_is_named)
{
	struct packet p;

	setup(0);
	packet_plain(&p, UNTAGGED, 100);
	put_output(&p, 2);
	put_five_while(&p, "ethtool -K q2 gro off", "ethtool -K q2 gro on", 5);
	ck_assert_uint_eq(fixture_drops(&f, 2, SW_DROP_XMIT), 5);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, 0);
}
END_TEST

/* Native only: a generic redirect learns nothing of it, the peer counts it as received and dropped. */
START_TEST(a_frame_that_the_driver_does_not_take_is_named)
{
	struct packet p;

	setup(0);
	packet_plain(&p, UNTAGGED, 1300);
	put_output(&p, 2);
	put_five_while(&p, "ip link set q2 mtu 1200", "ip link set q2 mtu 1500", 5);
	ck_assert_uint_eq(fixture_drops(&f, 2, SW_DROP_XMIT), 5);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, 0);
}
END_TEST

/* The kernel passes over such a member without a trace. Frames are 300 bytes and for ports 2 and 3. */
static void flood_without_port_3(const char *hindered, enum sw_drop reason, const char *mended)
{
	struct packet p;
	int i;

	packet_plain(&p, 5, 300);
	put(&p, 0, &(struct sw_step){.op = SW_OP_BROADCAST, .arg = SET}, 1);
	sh("%s", hindered);
	for (i = 0; i < 5; i++) {
		put_frame(&p);
		check_arrives(2, &p);
	}
	sh("%s", mended);
	check_drop(3, reason, 5);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, 5);
	ck_assert_uint_eq(fixture_port_stats(&f, 3).tx_frames, 0);
}

START_TEST(a_copy_for_a_member_that_is_down_is_named)
{
	setup(_i);
	flood_without_port_3("ip link set p3 down", SW_DROP_PORT_DOWN, "ip link set p3 up");
}
END_TEST

START_TEST(a_copy_over_a_members_mtu_is_named)
{
	setup(_i);
	flood_without_port_3("ip link set p3 mtu 200", SW_DROP_OVER_MTU, "ip link set p3 mtu 1500");
}
END_TEST

/* In generic mode the kernel gives up at the first member that cannot take its copy. */
START_TEST(copies_behind_one_that_fails_in_generic_mode_are_named)
{
	struct packet p;

	setup(1);
	packet_plain(&p, 5, 300);
	put(&p, 0, &(struct sw_step){.op = SW_OP_BROADCAST, .arg = SET}, 1);
	put_five_while(&p, "ip link set p2 down", "ip link set p2 up", 10);
	ck_assert_uint_eq(fixture_drops(&f, 2, SW_DROP_PORT_DOWN), 5);
	ck_assert_uint_eq(fixture_drops(&f, 3, SW_DROP_REDIRECT), 5);
	check_silence(3);
}
END_TEST

START_TEST(a_copy_for_a_member_whose_peer_has_no_napi_is_named)
{
	setup(0);
	flood_without_port_3("ethtool -K q3 gro off", SW_DROP_XMIT, "ethtool -K q3 gro on");
}
END_TEST

START_TEST(a_device_that_is_gone_is_named)
{
	struct packet p;
	uint32_t id = 2;

	setup(_i);
	packet_plain(&p, UNTAGGED, 100);
	put_output(&p, 2);
	ck_assert_int_eq(bpf_map_delete_elem(bpf_map__fd(f.skel->maps.tx_ports), &id), 0);
	put_frame(&p);
	check_drop(2, SW_DROP_PORT_DOWN, 1);
}
END_TEST

START_TEST(a_runt_is_named)
{
	struct packet p;

	setup(_i);
	packet_plain(&p, 5, 100);
	p.size = 16;
	put_frame(&p);
	check_drop(1, SW_DROP_RUNT, 1);
}
END_TEST

START_TEST(another_namespaces_losses_are_not_ours)
{
	struct packet p;
	int i;

	setup(_i);
	packet_plain(&p, UNTAGGED, 1300);
	put_output(&p, 2);
	f.config->netns_inum++;
	sh("ip link set p2 mtu 1200");
	for (i = 0; i < 5; i++)
		put_frame(&p);
	check_silence(2);
	sh("ip link set p2 mtu 1500");
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
	ck_assert_uint_eq(fixture_port_stats(&f, 1).rx_frames, 5);
}
END_TEST

/* ---- upcalls ---- */

struct listener {
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons completion, rx;
	void *memory;
};

static void listener_open(struct listener *l, unsigned int n_fill)
{
	struct xsk_umem_config umem_config = {.fill_size = FRAMES, .comp_size = FRAMES, .frame_size = FRAME_SIZE};
	struct xsk_socket_config config = {.rx_size = FRAMES,
		.tx_size = FRAMES,
		.bind_flags = XDP_COPY,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD};
	uint32_t index, slot = 0, i;
	int fd;

	memset(l, 0, sizeof(*l)); /* the rings begin with what they find */
	l->memory = mmap(NULL, FRAMES * FRAME_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(l->memory, MAP_FAILED);
	ck_assert_int_eq(
		xsk_umem__create(&l->umem, l->memory, FRAMES * FRAME_SIZE, &l->fill, &l->completion, &umem_config), 0);
	ck_assert_int_eq(xsk_socket__create(&l->socket, "p1", 0, l->umem, &l->rx, &l->tx, &config), 0);
	ck_assert_uint_eq(xsk_ring_prod__reserve(&l->fill, n_fill, &index), n_fill);
	for (i = 0; i < n_fill; i++)
		*xsk_ring_prod__fill_addr(&l->fill, index + i) = i * FRAME_SIZE;
	xsk_ring_prod__submit(&l->fill, n_fill);
	fd = xsk_socket__fd(l->socket);
	ck_assert_int_eq(bpf_map_update_elem(bpf_map__fd(f.skel->maps.xsks), &slot, &fd, BPF_ANY), 0);
}

static void listener_close(struct listener *l)
{
	xsk_socket__delete(l->socket);
	xsk_umem__delete(l->umem);
	munmap(l->memory, FRAMES * FRAME_SIZE);
}

/* This very frame comes up, for this reason. */
static void check_up(struct listener *l, const struct packet *p, enum sw_upcall reason)
{
	const struct xdp_desc *desc;
	struct sw_meta meta;
	uint32_t index = 0, n = 0;
	uint8_t *at;
	int i;

	for (i = 0; i < 200 && !n; i++) {
		n = xsk_ring_cons__peek(&l->rx, 1, &index);
		usleep(10000);
	}
	ck_assert_uint_eq(n, 1);
	desc = xsk_ring_cons__rx_desc(&l->rx, index);
	at = xsk_umem__get_data(l->memory, desc->addr);
	ck_assert_uint_eq(desc->len, p->size);
	ck_assert_mem_eq(at, p->bytes, p->size);
	memcpy(&meta, at - sizeof(meta), sizeof(meta));
	ck_assert_uint_eq(meta.magic, SW_META_MAGIC);
	ck_assert_uint_eq(meta.reason, reason);
	ck_assert_uint_eq(meta.in_port, 1);
	ck_assert_uint_eq(fixture_port_stats(&f, 1).upcalls, 1);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}

START_TEST(a_miss_arrives_at_the_daemon_with_its_metadata)
{
	struct listener l;
	struct packet p;

	setup(_i);
	listener_open(&l, 16);
	packet_plain(&p, 10, 500);
	put_frame(&p);
	check_up(&l, &p, SW_UPCALL_MISS);
	listener_close(&l);
}
END_TEST

START_TEST(a_new_source_arrives_at_the_daemon_to_be_learned)
{
	struct listener l;
	struct packet p;

	setup(_i);
	put_normal();
	put_host(0x02000000000b, 2);
	listener_open(&l, 16);
	packet_plain(&p, UNTAGGED, 500);
	packet_set_macs(&p, 0x02000000000b, 0x02000000000a);
	put_frame(&p);
	check_up(&l, &p, SW_UPCALL_LEARN);
	check_silence(2);
	listener_close(&l);
}
END_TEST

START_TEST(a_full_ring_is_named)
{
	struct listener l;
	struct packet p;
	int i;

	setup(_i);
	listener_open(&l, 4);
	packet_plain(&p, UNTAGGED, 100);
	for (i = 0; i < 10; i++)
		put_frame(&p);
	check_drop(1, SW_DROP_UPCALL_FULL, 6);
	listener_close(&l);
}
END_TEST

START_TEST(a_daemon_that_died_is_named)
{
	struct listener l;
	struct packet p;

	setup(_i);
	listener_open(&l, 4);
	listener_close(&l);
	packet_plain(&p, UNTAGGED, 100);
	put_frame(&p);
	check_drop(1, SW_DROP_NO_DAEMON, 1);
}
END_TEST

static Suite *live_suite(void)
{
	Suite *suite = suite_create("live");
	TCase *tcase = tcase_create("live");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, an_output_arrives, 0, 2);
	tcase_add_loop_test(tcase, tags_arrive_as_written, 0, 2);
	tcase_add_loop_test(tcase, a_flood_is_untagged_for_each_port_of_its_own, 0, 2);
	tcase_add_loop_test(tcase, a_flood_that_came_tagged_is_untagged_there_too, 0, 2);
	tcase_add_loop_test(tcase, a_flood_that_comes_in_by_another_port_is_unicast_like_any, 0, 2);
	tcase_add_loop_test(tcase, normal_sends_to_where_an_address_lives, 0, 2);
	tcase_add_loop_test(tcase, normal_floods_until_an_address_is_learned, 0, 2);
	tcase_add_loop_test(tcase, an_unfinished_checksum_arrives_finished, 0, 2);
	tcase_add_loop_test(tcase, a_frame_over_the_outputs_mtu_is_named, 0, 2);
	tcase_add_loop_test(tcase, a_frame_for_a_port_that_is_down_is_named, 0, 2);
	tcase_add_test(tcase, a_peer_without_napi_is_named);
	tcase_add_test(tcase, a_frame_that_the_driver_does_not_take_is_named);
	tcase_add_loop_test(tcase, a_copy_for_a_member_that_is_down_is_named, 0, 2);
	tcase_add_loop_test(tcase, a_copy_over_a_members_mtu_is_named, 0, 2);
	tcase_add_test(tcase, copies_behind_one_that_fails_in_generic_mode_are_named);
	tcase_add_test(tcase, a_copy_for_a_member_whose_peer_has_no_napi_is_named);
	tcase_add_loop_test(tcase, a_device_that_is_gone_is_named, 0, 2);
	tcase_add_loop_test(tcase, a_runt_is_named, 0, 2);
	tcase_add_loop_test(tcase, another_namespaces_losses_are_not_ours, 0, 2);
	tcase_add_loop_test(tcase, a_miss_arrives_at_the_daemon_with_its_metadata, 0, 2);
	tcase_add_loop_test(tcase, a_new_source_arrives_at_the_daemon_to_be_learned, 0, 2);
	tcase_add_loop_test(tcase, a_full_ring_is_named, 0, 2);
	tcase_add_loop_test(tcase, a_daemon_that_died_is_named, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return live_main(live_suite());
}
