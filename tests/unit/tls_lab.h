/* SPDX-License-Identifier: BSD-2-Clause */
/* tls_lab.h - certificates of every kind for tests: of this CA or another, in time or not, revoked or not. */
#ifndef TLS_LAB_H
#define TLS_LAB_H

#include "dataplane/complaint.h"
#include "ofp/tls.h"

#include <check.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const lab_names[] = {"localhost", "127.0.0.1", "switch.example"};

/* Makes a directory with a CA and what it signed; days may be 0 or, as unsigned, below: what has ended. */
static inline void lab_make(char *path, size_t size, unsigned days)
{
	const struct tls_pki pki = {.dir = path, .names = lab_names, .n_names = 3, .days = days};
	struct complaint c;

	snprintf(path, size, "/tmp/ht-lab-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_msg(!tls_make_pki(&pki, &c), "%s", c.text);
}

static inline const char *lab_file(const char *dir, const char *name)
{
	static char paths[8][256];
	static unsigned turn;
	char *path = paths[turn++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static inline void lab_remove(const char *dir)
{
	static const char *const files[] = {"ca.crt", "ca.key", "server.crt", "server.key", "client.crt", "client.key",
		"crl.pem", "old.crt", "old.key"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(lab_file(dir, files[i]));
	rmdir(dir);
}

static inline X509 *lab_read(const char *path)
{
	FILE *in = fopen(path, "r");
	X509 *cert = in ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;

	ck_assert_ptr_nonnull(cert);
	fclose(in);
	return cert;
}

/* A list of revoked certificates of the directory's CA, crl.pem: with "client" or "server" in it, or empty (NULL). */
static inline void lab_revoke(const char *dir, const char *who, long valid_s)
{
	X509 *ca = lab_read(lab_file(dir, "ca.crt"));
	FILE *key_in = fopen(lab_file(dir, "ca.key"), "r"), *out = fopen(lab_file(dir, "crl.pem"), "w");
	EVP_PKEY *key = PEM_read_PrivateKey(key_in, NULL, NULL, NULL);
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *time = ASN1_TIME_new();

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca));
	X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(time, -7200));
	X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(time, valid_s));
	if (who) {
		char file[32];
		X509 *cert;
		X509_REVOKED *revoked = X509_REVOKED_new();

		snprintf(file, sizeof(file), "%s.crt", who);
		cert = lab_read(lab_file(dir, file));
		X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(cert));
		X509_REVOKED_set_revocationDate(revoked, X509_gmtime_adj(time, -3600));
		X509_CRL_add0_revoked(crl, revoked);
		X509_free(cert);
	}
	X509_CRL_sort(crl);
	ck_assert_int_gt(X509_CRL_sign(crl, key, EVP_sha256()), 0);
	ck_assert_int_eq(PEM_write_X509_CRL(out, crl), 1);
	fclose(out);
	fclose(key_in);
	ASN1_TIME_free(time);
	X509_CRL_free(crl);
	EVP_PKEY_free(key);
	X509_free(ca);
}

/* server.crt and server.key become those of the other directory, one file after the other. */
static inline void lab_replace(const char *dir, const char *from, const char *file)
{
	char command[600];

	snprintf(command, sizeof(command), "cp %s/%s %s/%s.new && mv %s/%s.new %s/%s", from, file, dir, file, dir, file,
		dir, file);
	ck_assert_int_eq(system(command), 0);
}

#endif
