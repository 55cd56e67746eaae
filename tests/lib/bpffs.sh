# SPDX-License-Identifier: BSD-2-Clause
# switchd mounts a bpffs where there is none. Who starts it for a test takes that mount away again, if nobody uses it.

had_bpffs=1
has_bpffs() { findmnt -n -t bpf -M /sys/fs/bpf >/dev/null 2>&1; }
note_bpffs() { has_bpffs || had_bpffs=0; }
# The kernel's own two files, and empty folders that libraries make, are nobody's.
is_used() { [ -n "$(find /sys/fs/bpf -mindepth 1 ! -type d ! -name maps.debug ! -name progs.debug -print -quit)" ]; }
restore_bpffs() {
	rmdir /sys/fs/bpf/switchd 2>/dev/null
	[ $had_bpffs = 1 ] || ! has_bpffs || is_used || umount /sys/fs/bpf
}
