/* cpio.c - see cpio.h. */
#include "vmm/image/cpio.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/util.h"

#define HEADER_LEN  110 /* magic of 6 characters, 13 fields of 8 */
#define PERMISSIONS 07777u

void cpio_begin(struct cpio *c)
{
	*c = (struct cpio){ 0 };
}

void cpio_release(struct cpio *c)
{
	free(c->data);
	*c = (struct cpio){ 0 };
}

struct header {
	uint32_t mode, nlink, size, dev_major, dev_minor;
};

/* Room for `more` bytes behind c->len. */
static int reserve(struct cpio *c, size_t more)
{
	size_t need, room;
	char *data;

	if (__builtin_add_overflow(c->len, more, &need))
		return -ENOMEM;
	if (need <= c->room)
		return 0;
	if (__builtin_mul_overflow(need, 2, &room))
		return -ENOMEM;
	data = realloc(c->data, room);
	if (!data)
		return -ENOMEM;
	c->data = data;
	c->room = room;
	return 0;
}

/* Header and file data are aligned to 4 from the archive's start. */
static void pad(struct cpio *c)
{
	while (c->len % 4)
		c->data[c->len++] = '\0';
}

static int append(struct cpio *c, const char *name, const struct header *h, const void *data)
{
	size_t name_size = strlen(name) + 1;
	int r;

	if (name_size == 1 || name[0] == '/' || name_size > PATH_MAX)
		return -EINVAL;
	/* Two paddings, and the NUL that snprintf() adds to a header. */
	r = reserve(c, HEADER_LEN + 1 + name_size + h->size + 2 * 4);
	if (r < 0)
		return r;
	snprintf(c->data + c->len, HEADER_LEN + 1,
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", c->ino, h->mode, 0,
		 0, h->nlink, 0, h->size, 0, 0, h->dev_major, h->dev_minor, (unsigned int)name_size,
		 0);
	c->len += HEADER_LEN;
	memcpy(c->data + c->len, name, name_size);
	c->len += name_size;
	pad(c);
	if (h->size)
		memcpy(c->data + c->len, data, h->size);
	c->len += h->size;
	pad(c);
	return 0;
}

int cpio_dir(struct cpio *c, const char *name, uint32_t mode)
{
	c->ino++;
	return append(c, name,
		      &(struct header){ .mode = S_IFDIR | (mode & PERMISSIONS), .nlink = 2 }, NULL);
}

int cpio_file(struct cpio *c, const char *name, uint32_t mode, const void *data, size_t len)
{
	if (len > UINT32_MAX)
		return -EFBIG;
	c->ino++;
	return append(c, name,
		      &(struct header){ .mode = S_IFREG | (mode & PERMISSIONS),
					.nlink = 1,
					.size = (uint32_t)len },
		      data);
}

int cpio_node(struct cpio *c, const char *name, uint32_t mode, uint32_t dev_major,
	      uint32_t dev_minor)
{
	c->ino++;
	return append(
		c, name,
		&(struct header){
			.mode = mode, .nlink = 1, .dev_major = dev_major, .dev_minor = dev_minor },
		NULL);
}

int cpio_end(struct cpio *c)
{
	c->ino = 0;
	return append(c, "TRAILER!!!", &(struct header){ .nlink = 1 }, NULL);
}
