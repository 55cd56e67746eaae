/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/value.h"

#include "bpf/abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool value_is_name(const char *text)
{
	size_t n = strlen(text);

	return n >= 1 && n < SW_NAME_SIZE && strncmp(text, "--", 2) != 0 && /* an option, misspelt */
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789_.-") == n &&
	       strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

bool value_is_netns(const char *text)
{
	return *text && strlen(text) < 64 && !strchr(text, '/') && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

bool value_mac(const char *text, uint8_t mac[6])
{
	int end = -1;

	if (strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17)
		return false;
	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
		       &mac[5], &end) == 6 &&
	       end == 17;
}

bool value_number(const char *text, uint64_t *ret)
{
	size_t n = strlen(text);

	if (!n || strspn(text, "0123456789") != n)
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

/* "00:00:00:00:00:00:00:ff" without its colons; "" for anything else. */
static void join_pairs(const char *text, char ret[17])
{
	size_t n = 0;

	ret[0] = '\0';
	if (strlen(text) != 23)
		return;
	for (size_t i = 0; i < 23; i++) {
		if ((text[i] == ':') != (i % 3 == 2))
			return;
		if (text[i] != ':')
			ret[n++] = text[i];
	}
	ret[n] = '\0';
}

/*
 * 16 digits, as it is shown; 0x and fewer, as Open vSwitch takes it; eight pairs, as some controllers print it. A few
 * digits alone may be decimal, in which other controllers print it: they are refused.
 */
bool value_dpid(const char *text, uint64_t *ret)
{
	bool prefixed = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = prefixed ? text + 2 : text;
	char joined[17];
	size_t n;

	if (strchr(text, ':')) {
		join_pairs(text, joined);
		digits = joined;
	}
	n = strlen(digits);
	if (!n || n > 16 || (n < 16 && !prefixed) || strspn(digits, "0123456789abcdefABCDEF") != n)
		return false;
	*ret = strtoull(digits, NULL, 16);
	return *ret != 0;
}

bool value_choice(const char *choices, const char *text, uint64_t *ret)
{
	uint64_t index = 0;
	size_t n;

	for (const char *word = choices; *word; word += n + (word[n] == '|'), index++) {
		n = strcspn(word, "|");
		if (strlen(text) == n && !memcmp(word, text, n)) {
			*ret = index;
			return true;
		}
	}
	return false;
}
