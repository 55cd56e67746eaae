/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/cni_ipam.h"

#include "ctl/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OUTPUT (1U << 20)

/* ---- finding and starting ---- */

static enum cni_code find(const struct cni_request *request, char path[static PATH_MAX], struct cni_error *error)
{
	const char *at = request->env.path, *end;

	for (; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ':');
		if (end == at || snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - at), at, request->ipam) >= PATH_MAX)
			continue;
		if (!access(path, X_OK))
			return CNI_OK;
	}
	return cni_fail(
		error, CNI_IPAM, NULL, "ipam.type: no program %s in CNI_PATH (%s)", request->ipam, request->env.path);
}

/* The configuration as a file: a pipe would have to be fed while the answer is read. */
static int config_file(const struct cni_request *request)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	size_t at = 0;
	ssize_t n;

	while (fd >= 0 && at < request->size) {
		n = write(fd, request->text + at, request->size - at);
		if (n < 0) {
			close(fd);
			return -1;
		}
		at += (size_t)n;
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

static void become(const char *path, const char *command, int in, int out)
{
	char *const argv[] = {(char *)path, NULL};

	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || setenv("CNI_COMMAND", command, 1))
		_exit(127);
	execv(path, argv);
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

/* Up to its end; -1: more than MAX_OUTPUT. */
static ssize_t read_all(int fd, char *text)
{
	size_t size = 0;
	ssize_t n;

	while ((n = read(fd, text + size, MAX_OUTPUT - size)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		size += (size_t)n;
		if (size == MAX_OUTPUT)
			return -1;
	}
	text[size] = '\0';
	return (ssize_t)size;
}

/* Runs it to its end. *ret_status as of waitpid(). */
static int run(const struct cni_request *request, const char *path, const char *command, char *output, int *ret_status)
{
	int in = config_file(request), pipe_fds[2], err = 0;
	pid_t pid;

	if (in < 0)
		return -errno;
	if (pipe2(pipe_fds, O_CLOEXEC)) {
		err = -errno;
		goto close_in;
	}
	pid = fork();
	if (pid == 0)
		become(path, command, in, pipe_fds[1]);
	if (pid < 0)
		err = -errno;
	close(pipe_fds[1]);
	if (!err && read_all(pipe_fds[0], output) < 0)
		err = -EMSGSIZE;
	close(pipe_fds[0]); /* one that still writes is ended by that */
	while (pid > 0 && waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
close_in:
	close(in);
	return err;
}

/* ---- hearing ---- */

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && value ? json_object_get_string(value) : "";
}

static enum cni_code its_error(
	const struct cni_request *request, struct json_object *said, int status, struct cni_error *error)
{
	struct json_object *value;
	int code = CNI_IPAM;

	if (!json_object_is_type(said, json_type_object) || !text_of(said, "msg")[0]) {
		if (WIFSIGNALED(status))
			return cni_fail(error, CNI_IPAM, NULL, "IPAM plugin %s: ended by signal %d", request->ipam,
				WTERMSIG(status));
		return cni_fail(error, CNI_IPAM, NULL, "IPAM plugin %s: it failed with status %d and did not say why",
			request->ipam, WEXITSTATUS(status));
	}
	if (json_object_object_get_ex(said, "code", &value) && json_object_get_int(value) > 0)
		code = json_object_get_int(value);
	return cni_fail(error, (enum cni_code)code, text_of(said, "details"), "IPAM plugin %s: %s", request->ipam,
		text_of(said, "msg"));
}

enum cni_code cni_ipam_run(
	const struct cni_request *request, const char *command, struct json_object **ret, struct cni_error *error)
{
	char path[PATH_MAX], *output;
	struct json_object *said;
	int status = 0, err;
	enum cni_code code = find(request, path, error);

	if (code)
		return code;
	output = malloc(MAX_OUTPUT);
	err = output ? run(request, path, command, output, &status) : -ENOMEM;
	if (err) {
		free(output);
		return cni_fail(error, CNI_IPAM, strerror(-err), "IPAM plugin %s: it cannot be run and heard", path);
	}
	said = json_tokener_parse(output);
	free(output);
	if (status)
		code = its_error(request, said, status, error);
	else if (!strcmp(command, "ADD") && !json_object_is_type(said, json_type_object))
		code = cni_fail(error, CNI_IPAM, NULL, "IPAM plugin %s: it printed no JSON object", request->ipam);
	if (code || !ret)
		json_object_put(said);
	else
		*ret = said;
	return code;
}
