/*
 * exec.c - see exec.h
 */
#include "exec.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_HOME  "HOME=/root"
#define DEFAULT_COUNT 3

/* "NAME=..." has the name of "NAME=...". */
static bool same_name(const char *a, const char *b)
{
	while (*a && *a == *b && *a != '=')
		a++, b++;
	return *a == *b;
}

/* A later value of a name replaces an earlier one, in its place. */
static void put_env(char **env, size_t *count, char *value)
{
	for (size_t i = 0; i < *count; i++) {
		if (same_name(value, env[i])) {
			env[i] = value;
			return;
		}
	}
	env[(*count)++] = value;
}

char **exec_env(const char *const *given, size_t n, const char *term)
{
	char **env = calloc(n + DEFAULT_COUNT + 1, sizeof(*env));
	static char path[] = DEFAULT_PATH, home[] = DEFAULT_HOME;
	size_t count = 0;
	char *text;

	if (!env)
		return NULL;
	put_env(env, &count, path);
	put_env(env, &count, home);
	if (term) {
		if (asprintf(&text, "TERM=%s", term) < 0) {
			free(env);
			return NULL;
		}
		put_env(env, &count, text);
	}
	for (size_t i = 0; i < n; i++)
		put_env(env, &count, (char *)(uintptr_t)given[i]);
	return env;
}

static const char *get_env(char **env, const char *name)
{
	for (; *env; env++) {
		if (same_name(name, *env))
			return *env + strlen(name);
	}
	return "";
}

/* A text file without an interpreter line is run by the shell, as in POSIX. */
static void exec_file(const char *file, char *const *argv, size_t argc, char **env)
{
	char **script;

	execve(file, argv, env);
	if (errno != ENOEXEC)
		return;
	script = calloc(argc + 2, sizeof(*script));
	if (!script)
		return;
	script[0] = (char *)(uintptr_t) "/bin/sh";
	script[1] = (char *)(uintptr_t)file;
	for (size_t i = 1; i < argc; i++)
		script[i + 1] = argv[i];
	execve("/bin/sh", script, env);
	/* Without a shell the file stays what it is: not executable. */
	errno = ENOEXEC;
}

int exec_in_path(char *const *argv, size_t argc, char **env)
{
	const char *name = argv[0];
	char file[PATH_MAX];
	int error = ENOENT;

	if (strchr(name, '/')) {
		exec_file(name, argv, argc, env);
		return errno;
	}
	for (const char *dir = get_env(env, "PATH="); *name && dir;) {
		size_t len = strcspn(dir, ":");
		/* An empty element is the working directory. */
		int n = snprintf(file, sizeof(file), "%.*s%s%s", (int)len, dir, len ? "/" : "./",
				 name);

		dir = dir[len] ? dir + len + 1 : NULL;
		if (n < 0 || (size_t)n >= sizeof(file))
			continue;
		exec_file(file, argv, argc, env);
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			return errno;
		/* Found but not allowed: told unless a later one runs. */
		if (errno == EACCES)
			error = EACCES;
	}
	return error;
}
