# SPDX-License-Identifier: BSD-2-Clause
# What switchd leaves in /sys/fs/bpf: a mount, where there was none, which who starts it for a test takes away again, if nobody
# uses it; and its pins, where it could not be asked to take them away itself.

had_bpffs=1
has_bpffs() { findmnt -n -t bpf -M /sys/fs/bpf >/dev/null 2>&1; }
note_bpffs() { has_bpffs || had_bpffs=0; }
# The kernel's own two files, and empty folders that libraries make, are nobody's.
is_used() { [ -n "$(find /sys/fs/bpf -mindepth 1 ! -type d ! -name maps.debug ! -name progs.debug -print -quit)" ]; }
restore_bpffs() {
	rmdir /sys/fs/bpf/switchd 2>/dev/null
	[ $had_bpffs = 1 ] || ! has_bpffs || is_used || umount /sys/fs/bpf
}
# pins_of RUN-DIR: where a switchd of this run directory has its pins (ctl/daemon.h).
pins_of() { python3 -c 'import re, sys; print("/sys/fs/bpf/switchd/" + re.sub("[^A-Za-z0-9_/]", lambda m: "%%%02X" % ord(m[0]), sys.argv[1]).replace("/", "-"))' "$(realpath -m "$1")"; }
