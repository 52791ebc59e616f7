/*
 * values.h - the small grammars of option values.  Pure functions; every text
 * is a stranger's.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"

/*
 * A list "a,b=c,d".  A comma that belongs to an item is written twice: the
 * one way to name a file with a comma in it.
 *
 * Gives the next item of *at in *ret_item (the caller's to free) and moves
 * *at behind it.  1; 0 at the end; -EINVAL for an empty item; -ENOMEM.
 */
int list_next(const char **at, char **ret_item, struct err *e);

/* The value of "KEY=value" if `item` is one for `key`, else NULL. */
const char *item_value(const char *item, const char *key);

/* "on" or "off".  0 or -EINVAL. */
int parse_on_off(const char *text, bool *ret, struct err *e);

/* Seconds with up to nine decimals, more than 0 and at most `max_s`: into
 * nanoseconds.  0, -EINVAL or -ERANGE. */
int parse_seconds(const char *text, uint64_t max_s, uint64_t *ret_ns, struct err *e);

/* A number with up to three decimals, into thousandths.  0 or -EINVAL. */
int parse_milli(const char *text, uint64_t *ret);

/* aa:bb:cc:dd:ee:ff, not multicast and not all zero.  0 or -EINVAL. */
int parse_mac(const char *text, uint8_t ret_mac[6], struct err *e);

/* An IPv4 or IPv6 address; *ret_family is AF_INET or AF_INET6. */
int parse_ip(const char *text, int *ret_family, struct err *e);

/* ADDRESS/PREFIX of either family. */
int parse_cidr(const char *text, int *ret_family, struct err *e);

/* 1 to `max` of [a-zA-Z0-9._-], the first a letter or a digit: safe as a file
 * name and as an argument. */
int check_name(const char *text, size_t max, struct err *e);

/*
 * A place to mount on inside: an absolute path, not "/", not below what the
 * system has of its own (/dev, /proc, /sys), without "." and "..".  Gives it
 * without superfluous slashes, the caller's to free.  0, -EINVAL or -ENOMEM.
 */
int parse_mount_point(const char *text, char **ret, struct err *e);

/* A name that the kernel takes for a network interface. */
int check_ifname(const char *text, struct err *e);

#endif
