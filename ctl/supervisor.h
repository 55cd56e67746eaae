/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supervisor.h - a word to whoever started the daemon and waits until it is up: systemd, by Type=notify.
 *
 * What: sd_notify(3), which is one datagram to the UNIX socket that NOTIFY_SOCKET names; '@' stands for the NUL byte of
 * an abstract name. libsystemd would be a library for twenty lines.
 *
 * Errors: who is supervised badly must still forward. A word that does not arrive is logged, and the daemon goes on.
 */
#ifndef CTL_SUPERVISOR_H
#define CTL_SUPERVISOR_H

#define SUPERVISOR_READY    "READY=1"
#define SUPERVISOR_STOPPING "STOPPING=1"

/* Does nothing if nobody waits. Never blocks: a supervisor that does not read loses the word. */
void supervisor_tell(const char *state);

#endif
