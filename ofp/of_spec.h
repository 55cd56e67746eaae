/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * of_spec.h - the numbers of OpenFlow 1.3.5, under the specification's own names.
 *
 * Only what stands nowhere else. Actions are action.def's rows, match fields field.def's, errors of_error.def's; ports
 * are enum of_port (action.h), flags of flows RULE_*, of meters METER_* (table.h, meter.h), and so on: those headers
 * say which OFP* they are. Sizes are in bytes.
 */
#ifndef OFP_OF_SPEC_H
#define OFP_OF_SPEC_H

#define OFP_VERSION 4 /* 1.3 */

#define OFP_MESSAGE_MAX 65535
#define OFP_HEADER_SIZE 8

/* §7.1 */
enum ofp_type {
	OFPT_HELLO = 0,
	OFPT_ERROR = 1,
	OFPT_ECHO_REQUEST = 2,
	OFPT_ECHO_REPLY = 3,
	OFPT_EXPERIMENTER = 4,
	OFPT_FEATURES_REQUEST = 5,
	OFPT_FEATURES_REPLY = 6,
	OFPT_GET_CONFIG_REQUEST = 7,
	OFPT_GET_CONFIG_REPLY = 8,
	OFPT_SET_CONFIG = 9,
	OFPT_PACKET_IN = 10,
	OFPT_FLOW_REMOVED = 11,
	OFPT_PORT_STATUS = 12,
	OFPT_PACKET_OUT = 13,
	OFPT_FLOW_MOD = 14,
	OFPT_GROUP_MOD = 15,
	OFPT_PORT_MOD = 16,
	OFPT_TABLE_MOD = 17,
	OFPT_MULTIPART_REQUEST = 18,
	OFPT_MULTIPART_REPLY = 19,
	OFPT_BARRIER_REQUEST = 20,
	OFPT_BARRIER_REPLY = 21,
	OFPT_QUEUE_GET_CONFIG_REQUEST = 22,
	OFPT_QUEUE_GET_CONFIG_REPLY = 23,
	OFPT_ROLE_REQUEST = 24,
	OFPT_ROLE_REPLY = 25,
	OFPT_GET_ASYNC_REQUEST = 26,
	OFPT_GET_ASYNC_REPLY = 27,
	OFPT_SET_ASYNC = 28,
	OFPT_METER_MOD = 29,
	OFPT_N_TYPES
};

/* §7.5.1 */
enum { OFPHET_VERSIONBITMAP = 1 };

/* §7.5.4 */
enum ofp_error_type {
	OFPET_HELLO_FAILED = 0,
	OFPET_BAD_REQUEST = 1,
	OFPET_BAD_ACTION = 2,
	OFPET_BAD_INSTRUCTION = 3,
	OFPET_BAD_MATCH = 4,
	OFPET_FLOW_MOD_FAILED = 5,
	OFPET_GROUP_MOD_FAILED = 6,
	OFPET_PORT_MOD_FAILED = 7,
	OFPET_TABLE_MOD_FAILED = 8,
	OFPET_QUEUE_OP_FAILED = 9,
	OFPET_SWITCH_CONFIG_FAILED = 10,
	OFPET_ROLE_REQUEST_FAILED = 11,
	OFPET_METER_MOD_FAILED = 12,
	OFPET_TABLE_FEATURES_FAILED = 13,
	OFPET_EXPERIMENTER = 0xffff,
};
#define OFP_ERROR_DATA_MIN 64 /* of the message at fault, where it has as many */

/* §7.2.3 */
enum ofp_match_type { OFPMT_STANDARD = 0, OFPMT_OXM = 1 };
#define OFP_MATCH_HEADER_SIZE 4

enum ofp_oxm_class {
	OFPXMC_NXM_0 = 0x0000,
	OFPXMC_NXM_1 = 0x0001,
	OFPXMC_OPENFLOW_BASIC = 0x8000,
	OFPXMC_EXPERIMENTER = 0xffff,
};
#define OXM_HEADER_SIZE   4
#define ONF_EXPERIMENTER  0x4f4e4600u
#define ONF_OXM_TCP_FLAGS 42

enum ofp_vlan_id { OFPVID_NONE = 0, OFPVID_PRESENT = 0x1000 };

/* §7.2.3.8 */
enum ofp_ipv6exthdr_flags {
	OFPIEH_NONEXT = 1 << 0,
	OFPIEH_ESP = 1 << 1,
	OFPIEH_AUTH = 1 << 2,
	OFPIEH_DEST = 1 << 3,
	OFPIEH_FRAG = 1 << 4,
	OFPIEH_ROUTER = 1 << 5,
	OFPIEH_HOP = 1 << 6,
	OFPIEH_UNREP = 1 << 7,
	OFPIEH_UNSEQ = 1 << 8,
};

/* §7.2.4 */
enum ofp_instruction_type {
	OFPIT_GOTO_TABLE = 1,
	OFPIT_WRITE_METADATA = 2,
	OFPIT_WRITE_ACTIONS = 3,
	OFPIT_APPLY_ACTIONS = 4,
	OFPIT_CLEAR_ACTIONS = 5,
	OFPIT_METER = 6,
	OFPIT_EXPERIMENTER = 0xffff,
};

/* §7.2.5; the types are action.def's */
#define OFPAT_EXPERIMENTER 0xffff
enum ofp_controller_max_len { OFPCML_MAX = 0xffe5, OFPCML_NO_BUFFER = 0xffff };

/* §7.2.1 */
#define OFP_PORT_SIZE      64
#define OFP_PORT_NAME_SIZE 16
#define OFP_ETH_ALEN       6
#define OFPPC_ALL          (1u << 0 | 1u << 2 | 1u << 5 | 1u << 6)
enum ofp_port_features {
	OFPPF_10MB_HD = 1 << 0,
	OFPPF_10MB_FD = 1 << 1,
	OFPPF_100MB_HD = 1 << 2,
	OFPPF_100MB_FD = 1 << 3,
	OFPPF_1GB_HD = 1 << 4,
	OFPPF_1GB_FD = 1 << 5,
	OFPPF_10GB_FD = 1 << 6,
	OFPPF_40GB_FD = 1 << 7,
	OFPPF_100GB_FD = 1 << 8,
	OFPPF_1TB_FD = 1 << 9,
	OFPPF_OTHER = 1 << 10,
	OFPPF_COPPER = 1 << 11,
	OFPPF_FIBER = 1 << 12,
	OFPPF_AUTONEG = 1 << 13,
	OFPPF_PAUSE = 1 << 14,
	OFPPF_PAUSE_ASYM = 1 << 15,
};

/* §7.2.2 */
#define OFPQ_ALL        0xffffffffu
#define OFPQ_RATE_UNCFG 0xffffu
enum ofp_queue_properties { OFPQT_MIN_RATE = 1, OFPQT_MAX_RATE = 2, OFPQT_EXPERIMENTER = 0xffff };

/* §7.3.1 */
enum ofp_capabilities {
	OFPC_FLOW_STATS = 1 << 0,
	OFPC_TABLE_STATS = 1 << 1,
	OFPC_PORT_STATS = 1 << 2,
	OFPC_GROUP_STATS = 1 << 3,
	OFPC_IP_REASM = 1 << 5,
	OFPC_QUEUE_STATS = 1 << 6,
	OFPC_PORT_BLOCKED = 1 << 8,
};

/* §7.3.2 */
enum ofp_config_flags { OFPC_FRAG_NORMAL = 0, OFPC_FRAG_DROP = 1, OFPC_FRAG_REASM = 2, OFPC_FRAG_MASK = 3 };
#define OFP_DEFAULT_MISS_SEND_LEN 128

/* §7.3.3 */
enum ofp_table_config { OFPTC_DEPRECATED_MASK = 3 };
enum ofp_table { OFPTT_MAX = 0xfe, OFPTT_ALL = 0xff };

/* §7.3.4 */
enum ofp_flow_mod_command {
	OFPFC_ADD = 0,
	OFPFC_MODIFY = 1,
	OFPFC_MODIFY_STRICT = 2,
	OFPFC_DELETE = 3,
	OFPFC_DELETE_STRICT = 4,
	OFPFC_N_COMMANDS
};
enum ofp_flow_mod_flags {
	OFPFF_SEND_FLOW_REM = 1 << 0,
	OFPFF_CHECK_OVERLAP = 1 << 1,
	OFPFF_RESET_COUNTS = 1 << 2,
	OFPFF_NO_PKT_COUNTS = 1 << 3,
	OFPFF_NO_BYT_COUNTS = 1 << 4,
	OFPFF_ALL = (1 << 5) - 1,
};
#define OFP_DEFAULT_PRIORITY 0x8000
#define OFP_FLOW_PERMANENT   0
#define OFP_NO_BUFFER        0xffffffffu

enum ofp_group_mod_command { OFPGC_ADD = 0, OFPGC_MODIFY = 1, OFPGC_DELETE = 2, OFPGC_N_COMMANDS };
enum ofp_group_type { OFPGT_ALL = 0, OFPGT_SELECT = 1, OFPGT_INDIRECT = 2, OFPGT_FF = 3, OFPGT_N_TYPES };
enum ofp_meter_mod_command { OFPMC_ADD = 0, OFPMC_MODIFY = 1, OFPMC_DELETE = 2, OFPMC_N_COMMANDS };
enum ofp_meter_band_type { OFPMBT_DROP = 1, OFPMBT_DSCP_REMARK = 2, OFPMBT_EXPERIMENTER = 0xffff };
enum ofp_meter_flags {
	OFPMF_KBPS = 1 << 0,
	OFPMF_PKTPS = 1 << 1,
	OFPMF_BURST = 1 << 2,
	OFPMF_STATS = 1 << 3,
	OFPMF_ALL = (1 << 4) - 1,
};

/* §7.3.5 */
enum ofp_multipart_type {
	OFPMP_DESC = 0,
	OFPMP_FLOW = 1,
	OFPMP_AGGREGATE = 2,
	OFPMP_TABLE = 3,
	OFPMP_PORT_STATS = 4,
	OFPMP_QUEUE = 5,
	OFPMP_GROUP = 6,
	OFPMP_GROUP_DESC = 7,
	OFPMP_GROUP_FEATURES = 8,
	OFPMP_METER = 9,
	OFPMP_METER_CONFIG = 10,
	OFPMP_METER_FEATURES = 11,
	OFPMP_TABLE_FEATURES = 12,
	OFPMP_PORT_DESC = 13,
	OFPMP_N_TYPES,
	OFPMP_EXPERIMENTER = 0xffff,
};
enum { OFPMPF_REQ_MORE = 1, OFPMPF_REPLY_MORE = 1 };

#define OFP_DESC_STR_SIZE   256
#define OFP_SERIAL_NUM_SIZE 32
#define OFP_MAX_TABLE_NAME  32

/* §7.3.5.5.2; each but EXPERIMENTER is followed by its _MISS where the specification has one */
enum ofp_table_feature_prop_type {
	OFPTFPT_INSTRUCTIONS = 0,
	OFPTFPT_INSTRUCTIONS_MISS = 1,
	OFPTFPT_NEXT_TABLES = 2,
	OFPTFPT_NEXT_TABLES_MISS = 3,
	OFPTFPT_WRITE_ACTIONS = 4,
	OFPTFPT_WRITE_ACTIONS_MISS = 5,
	OFPTFPT_APPLY_ACTIONS = 6,
	OFPTFPT_APPLY_ACTIONS_MISS = 7,
	OFPTFPT_MATCH = 8,
	OFPTFPT_WILDCARDS = 10,
	OFPTFPT_WRITE_SETFIELD = 12,
	OFPTFPT_WRITE_SETFIELD_MISS = 13,
	OFPTFPT_APPLY_SETFIELD = 14,
	OFPTFPT_APPLY_SETFIELD_MISS = 15,
	OFPTFPT_EXPERIMENTER = 0xfffe,
	OFPTFPT_EXPERIMENTER_MISS = 0xffff,
};

/* §7.3.5.9 */
enum ofp_group_capabilities {
	OFPGFC_SELECT_WEIGHT = 1 << 0,
	OFPGFC_SELECT_LIVENESS = 1 << 1,
	OFPGFC_CHAINING = 1 << 2,
	OFPGFC_CHAINING_CHECKS = 1 << 3,
};

/* §7.3.9 */
enum ofp_controller_role {
	OFPCR_ROLE_NOCHANGE = 0,
	OFPCR_ROLE_EQUAL = 1,
	OFPCR_ROLE_MASTER = 2,
	OFPCR_ROLE_SLAVE = 3,
};

/* §7.4.1 */
enum ofp_packet_in_reason { OFPR_NO_MATCH = 0, OFPR_ACTION = 1, OFPR_INVALID_TTL = 2, OFPR_N_REASONS };

/* §7.4.2 */
enum ofp_flow_removed_reason {
	OFPRR_IDLE_TIMEOUT = 0,
	OFPRR_HARD_TIMEOUT = 1,
	OFPRR_DELETE = 2,
	OFPRR_GROUP_DELETE = 3,
	OFPRR_METER_DELETE = 4,
	OFPRR_N_REASONS
};

/* §7.4.3 */
enum ofp_port_reason { OFPPR_ADD = 0, OFPPR_DELETE = 1, OFPPR_MODIFY = 2, OFPPR_N_REASONS };

#endif
