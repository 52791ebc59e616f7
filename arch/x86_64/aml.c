/* aml.c - see aml.h.  Section numbers are of ACPI 6.5. */
#include "arch/x86_64/aml.h"

#include <string.h>

#define OP_ZERO	   0x00
#define OP_ONE	   0x01
#define OP_NAME	   0x08
#define OP_BYTE	   0x0a
#define OP_WORD	   0x0b
#define OP_DWORD   0x0c
#define OP_STRING  0x0d
#define OP_SCOPE   0x10
#define OP_BUFFER  0x11
#define OP_METHOD  0x14
#define OP_DUAL	   0x2e /* two name segments follow */
#define OP_EXT	   0x5b
#define EXT_DEVICE 0x82

void aml_bytes(struct aml *a, const void *data, size_t len)
{
	if (a->overflow || len > a->size - a->len) {
		a->overflow = true;
		return;
	}
	memcpy(a->buf + a->len, data, len);
	a->len += len;
}

void aml_byte(struct aml *a, uint8_t v)
{
	aml_bytes(a, &v, 1);
}

static void put_le(struct aml *a, uint32_t v, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		aml_byte(a, (uint8_t)(v >> (8 * i)));
}

size_t aml_begin(struct aml *a, bool extended, uint8_t opcode)
{
	if (extended)
		aml_byte(a, OP_EXT);
	aml_byte(a, opcode);
	return a->len;
}

/*
 * 20.2.4: a package's length counts its own bytes.  One byte holds up to 63;
 * otherwise its bits 7:6 say how many bytes follow, its bits 3:0 are the low
 * bits.  The body is already there, so it is moved up by as much.
 */
void aml_end(struct aml *a, size_t at)
{
	size_t body, more = 0, len;
	uint8_t enc[4];

	if (a->overflow)
		return;
	body = a->len - at;
	if (body + 1 > 0x3f)
		more = body + 2 <= 0xfff ? 1 : 2;
	len = body + 1 + more;
	if (len > 0xfffff) {
		a->overflow = true;
		return;
	}
	enc[0] = more ? (uint8_t)(more << 6 | (len & 0xf)) : (uint8_t)len;
	for (size_t i = 0; i < more; i++)
		enc[1 + i] = (uint8_t)(len >> (4 + 8 * i));
	aml_bytes(a, enc, 1 + more); /* makes the room, and checks it */
	if (a->overflow)
		return;
	memmove(a->buf + at + 1 + more, a->buf + at, body);
	memcpy(a->buf + at, enc, 1 + more);
}

void aml_path(struct aml *a, const char *path)
{
	if (*path == '\\') {
		aml_byte(a, '\\');
		path++;
	}
	if (strlen(path) == 9) {
		aml_byte(a, OP_DUAL);
		aml_bytes(a, path, 4);
		path += 5;
	}
	aml_bytes(a, path, 4);
}

size_t aml_scope(struct aml *a, const char *path)
{
	size_t at = aml_begin(a, false, OP_SCOPE);

	aml_path(a, path);
	return at;
}

size_t aml_device(struct aml *a, const char *name)
{
	size_t at = aml_begin(a, true, EXT_DEVICE);

	aml_path(a, name);
	return at;
}

size_t aml_method(struct aml *a, const char *name, unsigned int nargs, bool serialized)
{
	size_t at = aml_begin(a, false, OP_METHOD);

	aml_path(a, name);
	aml_byte(a, (uint8_t)(nargs | (serialized ? 8U : 0U)));
	return at;
}

void aml_int(struct aml *a, uint32_t value)
{
	if (value <= 1) {
		aml_byte(a, value ? OP_ONE : OP_ZERO);
		return;
	}
	if (value <= 0xff) {
		aml_byte(a, OP_BYTE);
		put_le(a, value, 1);
	} else if (value <= 0xffff) {
		aml_byte(a, OP_WORD);
		put_le(a, value, 2);
	} else {
		aml_byte(a, OP_DWORD);
		put_le(a, value, 4);
	}
}

static void begin_name(struct aml *a, const char *name)
{
	aml_byte(a, OP_NAME);
	aml_path(a, name);
}

void aml_name_int(struct aml *a, const char *name, uint32_t value)
{
	begin_name(a, name);
	aml_int(a, value);
}

void aml_name_string(struct aml *a, const char *name, const char *value)
{
	begin_name(a, name);
	aml_byte(a, OP_STRING);
	aml_bytes(a, value, strlen(value) + 1);
}

static uint32_t hex_digit(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* 19.3.4, EISAID: three letters of five bits and four hex digits, the whole
 * stored with its bytes swapped. */
void aml_name_eisa_id(struct aml *a, const char *name, const char *id)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < 3; i++)
		v = v << 5 | (uint32_t)(id[i] - 'A' + 1);
	for (unsigned int i = 3; i < 7; i++)
		v = v << 4 | hex_digit(id[i]);
	begin_name(a, name);
	aml_byte(a, OP_DWORD);
	put_le(a, __builtin_bswap32(v), 4);
}

void aml_resources_init(struct aml_resources *r)
{
	r->out = (struct aml){ .buf = r->buf, .size = sizeof(r->buf) };
}

/* 6.4.3.4: 32-bit fixed memory range, read and write */
void aml_memory32(struct aml_resources *r, uint32_t base, uint32_t len)
{
	static const uint8_t head[] = { 0x86, 9, 0, 1 };

	aml_bytes(&r->out, head, sizeof(head));
	put_le(&r->out, base, 4);
	put_le(&r->out, len, 4);
}

/* 6.4.2.5: port range, all 16 address lines decoded */
void aml_io(struct aml_resources *r, uint16_t port, uint8_t len)
{
	static const uint8_t head[] = { 0x47, 1 };

	aml_bytes(&r->out, head, sizeof(head));
	put_le(&r->out, port, 2);
	put_le(&r->out, port, 2);
	aml_byte(&r->out, 1); /* alignment */
	aml_byte(&r->out, len);
}

/* 6.4.3.6: extended interrupt; flags: bit 0 consumer, bit 1 edge, bit 2 clear:
 * active high, bit 3 clear: exclusive */
void aml_interrupt(struct aml_resources *r, uint32_t gsi)
{
	static const uint8_t head[] = { 0x89, 6, 0, 0x03, 1 };

	aml_bytes(&r->out, head, sizeof(head));
	put_le(&r->out, gsi, 4);
}

void aml_name_resources(struct aml *a, const char *name, struct aml_resources *r)
{
	/* 6.4.2.9: end tag; a checksum of 0 is not checked */
	static const uint8_t end[] = { 0x79, 0 };
	size_t at;

	aml_bytes(&r->out, end, sizeof(end));
	if (r->out.overflow)
		a->overflow = true;
	begin_name(a, name);
	at = aml_begin(a, false, OP_BUFFER);
	aml_int(a, (uint32_t)r->out.len);
	aml_bytes(a, r->buf, r->out.len);
	aml_end(a, at);
}
