// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds the kernel to the tables of dma-buf-errors.rst: each row names a
 * file, a call, what is wrong with its argument and the answer, and is tried
 * here on a fresh descriptor. Afterwards no descriptor may have been left
 * behind, and at the end no buffer.
 *
 * The document is the test's input, not a copy of it. It is looked for as
 * argv[1], then beside the program, then where a kernel tree has it.
 *
 * Grammar of the input column: "field = value; field = value". Fields that
 * are not named keep a value which would have been accepted. A value is a
 * sum of numbers (2^63, 0x10), names (PAGE, O_EXCL), or for a descriptor or a
 * string a word from the tables below. Two fields exist for every ioctl:
 * "struct", the size that the command encodes, and "argument", the pointer.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include "kselftest.h"
#include "bad_input_words.h"

#define ROWS_MAX	1024

struct row {
	char file[32];
	char call[48];
	char input[112];
	char answer[32];
	int line;
};

/* ------------------------------------------------------- numbers and names -- */

/* One number or name at *@text, which moves past it. */
static bool parse_term(const struct attempt *try, const char **text, __u64 *value)
{
	char word[64];
	size_t len, i;
	char *end;

	*text += strspn(*text, " ");
	len = strspn(*text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789abcdefx^");
	if (!len || len >= sizeof(word))
		return false;
	snprintf(word, sizeof(word), "%.*s", (int)len, *text);
	*text += len;
	*text += strspn(*text, " ");

	if (!strncmp(word, "2^", 2)) {
		i = strtoul(word + 2, &end, 10);
		*value = i < 64 ? 1ull << i : 0;
		return !*end;
	}
	if (isdigit((unsigned char)word[0])) {
		*value = strtoull(word, &end, 0);
		return !*end;
	}
	if (!strcmp(word, "PAGE")) {
		*value = page_size();
		return true;
	}
	if (!strcmp(word, "END")) {
		*value = BUF_PAGES * page_size();
		return true;
	}
	if (!strcmp(word, "ARRAY")) {
		*value = (uintptr_t)&array;
		return true;
	}
	if (!strcmp(word, "SIZE")) {
		*value = _IOC_SIZE(try->command);
		return true;
	}
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(word, names[i].name)) {
			*value = names[i].value;
			return true;
		}
	}
	return false;
}

/* A sum, modulo 2^64: so -1 is all ones. */
static bool parse_number(const struct attempt *try, const char *text, __u64 *value)
{
	bool minus = *text == '-';
	__u64 term;

	*value = 0;
	text += minus;
	for (;;) {
		if (!parse_term(try, &text, &term))
			return false;
		*value += minus ? -term : term;
		if (!*text)
			return true;
		if (*text != '+' && *text != '-')
			return false;
		minus = *text++ == '-';
	}
}

/* ------------------------------------------------- from a row to an argument -- */

/* Two pages, the second of which faults: arg ends at the border when asked. */
static char *argument_memory(void)
{
	static char *mem;

	if (!mem) {
		mem = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mem == MAP_FAILED || mprotect(mem + page_size(), page_size(), PROT_NONE))
			ksft_exit_fail_msg("no memory\n");
	}
	mprotect(mem, page_size(), PROT_READ | PROT_WRITE);
	memset(mem, 0, page_size());
	return mem;
}

static void set_string(struct attempt *try, const char *value)
{
	size_t len;

	if (!strcmp(value, "unterminated")) {
		len = 8;
		try->pointer = argument_memory() + page_size() - len;
		memset(try->pointer, 'n', len);
	} else if (sscanf(value, "%zu bytes", &len) == 1 && len < ARG_SIZE) {
		memset(try->arg, 'n', len);
		try->arg[len] = '\0';
	} else {
		try->error = "no such string";
	}
}

/* Bytes of a member that need not be terminated, of at most 32. */
static void set_name(struct attempt *try, const struct field *field, const char *value)
{
	size_t len;

	if (sscanf(value, "%zu bytes", &len) != 1 || len > 32)
		try->error = "no such name";
	else
		memset(try->arg + field->offset, 'n', len);
}

static int make_descriptor(struct attempt *try, const char *value)
{
	const struct kind *kind = kind_find(value);
	int fd;

	if (!strcmp(value, "itself"))
		return try->subject;
	if (!kind || try->n_opened == ARRAY_SIZE(try->opened)) {
		try->error = "no such descriptor";
		return -1;
	}
	fd = kind->make();
	if (fd >= 0 && strcmp(value, "closed"))
		try->opened[try->n_opened++] = fd;
	return fd;
}

/* Fields that each ioctl has. True when @name was one. */
static bool set_frame(struct attempt *try, const char *name, const char *value)
{
	__u64 number;

	if (!strcmp(name, "struct")) {
		if (!parse_number(try, value, &number))
			try->error = "no such size";
		try->command = (__u32)_IOC(_IOC_DIR(try->command), _IOC_TYPE(try->command),
					   _IOC_NR(try->command), number);
	} else if (!strcmp(name, "tail")) {
		memset(try->arg + _IOC_SIZE(try->call->command),
		       strcmp(value, "data") ? 0 : 0x5a, 64);
	} else {
		return false;
	}
	return true;
}

/* The pointer that every call but those without one has. */
static bool set_argument(struct attempt *try, const char *name, const char *value)
{
	if (strcmp(name, "argument"))
		return false;
	if (!strcmp(value, "NULL"))
		try->pointer = NULL;
	else if (!strcmp(value, "unmapped"))
		try->pointer = try->arg + page_size();
	else if (!strcmp(value, "read-only"))
		mprotect(try->arg, page_size(), PROT_READ);
	else
		try->error = "no such pointer";
	return true;
}

static void set_field(struct attempt *try, const char *name, const char *value)
{
	const struct field *field = try->call->fields;
	__u64 number;

	if (set_argument(try, name, value) ||
	    (try->call->command && set_frame(try, name, value)))
		return;
	while (field->name && strcmp(field->name, name))
		field++;
	if (!field->name) {
		try->error = "no such field";
		return;
	}
	if (field->type == STRING || field->type == NAME) {
		if (field->type == STRING)
			set_string(try, value);
		else
			set_name(try, field, value);
		return;
	}
	if (!parse_number(try, value, &number)) {
		if (field->type != DESCRIPTOR) {
			try->error = "no such number";
			return;
		}
		number = (__u64)make_descriptor(try, value);
	}
	memcpy(try->arg + field->offset, &number, field->type == NUMBER64 ? 8 : 4);
}

/* "a = x; b = y", one by one. */
static void set_fields(struct attempt *try, const char *input)
{
	char copy[128], *item, *state, *value;
	size_t len;

	snprintf(copy, sizeof(copy), "%s", input);
	for (item = strtok_r(copy, ";", &state); item && !try->error;
	     item = strtok_r(NULL, ";", &state)) {
		value = strstr(item, " = ");
		if (!value) {
			try->error = "no \" = \"";
			return;
		}
		*value = '\0';
		value += 3;
		for (len = strlen(value); len && value[len - 1] == ' '; len--)
			value[len - 1] = '\0';
		set_field(try, item + strspn(item, " "), value);
	}
}

static void close_answer(const struct attempt *try, long ret)
{
	__s32 fd = (__s32)ret;

	if (try->call->answer == FIELD_FD)
		memcpy(&fd, try->arg + try->call->answer_offset, sizeof(fd));
	if (try->call->answer != NO_FD)
		close(fd);
}

/* ------------------------------------------------------------------- rows -- */

static struct row rows[ROWS_MAX];
static int n_rows;

/* The next cell of a csv line, with quotes and markup taken off. */
static char *take_cell(char *text, char *cell, size_t size)
{
	bool quoted = false;
	size_t len = 0;

	text += strspn(text, " ");
	for (; *text && (quoted || *text != ','); text++) {
		if (*text == '"')
			quoted = !quoted;
		else if (*text != '`' && len + 1 < size)
			cell[len++] = *text;
	}
	while (len && cell[len - 1] == ' ')
		len--;
	cell[len] = '\0';
	return *text ? text + 1 : text;
}

static void read_rows(FILE *file)
{
	bool table = false;
	char line[512];
	int number = 0;

	while (fgets(line, sizeof(line), file)) {
		struct row *row = &rows[n_rows];
		char *text = line;

		number++;
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, ".. csv-table::", 14)) {
			table = true;
			continue;
		}
		if (!line[0])
			continue;
		if (line[0] != ' ') {
			table = false;
			continue;
		}
		if (!table || line[strspn(line, " ")] == ':')
			continue;
		if (n_rows == ROWS_MAX)
			ksft_exit_fail_msg("more than %d rows\n", ROWS_MAX);
		text = take_cell(text, row->file, sizeof(row->file));
		text = take_cell(text, row->call, sizeof(row->call));
		text = take_cell(text, row->input, sizeof(row->input));
		take_cell(text, row->answer, sizeof(row->answer));
		row->line = number;
		n_rows++;
	}
}

/* As the header says; relative places are seen from the program's folder. */
static FILE *open_document(const char *given)
{
	static const char * const places[] = {
		"dma-buf-errors.rst",
		"../../../../Documentation/userspace-api/dma-buf-errors.rst",
	};
	char path[4096], *name;
	FILE *file = NULL;
	ssize_t len;
	size_t i;

	if (given)
		return fopen(given, "re");
	len = readlink("/proc/self/exe", path, sizeof(path) / 2);
	if (len < 0)
		return NULL;
	path[len] = '\0';
	name = strrchr(path, '/') + 1;
	for (i = 0; i < ARRAY_SIZE(places) && !file; i++) {
		snprintf(name, sizeof(path) / 2, "%s", places[i]);
		file = fopen(path, "re");
	}
	return file;
}

static const char *answer_name(long ret, char *text, size_t size)
{
	if (ret >= 0)
		return "accepted";
	snprintf(text, size, "%s", strerrorname_np((int)-ret) ?: "unknown");
	return text;
}

/* One row on one descriptor, which is closed afterwards. */
static void try_row(const struct row *row, int subject, const char *what)
{
	struct attempt try = { .subject = subject, .call = call_find(row->call) };
	int fds, left, i;
	const char *got;
	char text[32];
	long ret;

	if (!try.call) {
		ksft_test_result_fail("line %d: no such call: %s\n", row->line, row->call);
		close(subject);
		return;
	}
	fds = count_open_fds();
	try.arg = argument_memory();
	try.pointer = try.arg;
	try.command = try.call->command;
	set_fields(&try, try.call->valid);
	set_fields(&try, row->input);
	ret = try.error ? 0 : try.call->run(&try);
	if (!try.error && ret >= 0)
		close_answer(&try, ret);
	for (i = 0; i < try.n_opened; i++)
		close(try.opened[i]);
	left = count_open_fds() - fds;
	close(subject);

	got = answer_name(ret, text, sizeof(text));
	if (try.error)
		ksft_print_msg("line %d: %s\n", row->line, try.error);
	else if (strcmp(got, row->answer))
		ksft_print_msg("line %d: got %s\n", row->line, got);
	if (left)
		ksft_print_msg("line %d: %d descriptors left\n", row->line, left);
	ksft_test_result(!try.error && !left && !strcmp(got, row->answer),
			 "%s %s %s is %s\n", what, row->call, row->input, row->answer);
}

static void try_heap(const char *name, void *data)
{
	int heap = heap_open(name);
	char what[300];

	snprintf(what, sizeof(what), "heap %s", name);
	if (heap < 0)
		ksft_test_result_fail("%s: %s\n", what, strerror(-heap));
	else
		try_row(data, heap, what);
}

int main(int argc, char **argv)
{
	FILE *file = open_document(argc > 1 ? argv[1] : NULL);
	int i, heaps, plan = 1;
	long buffers;

	ksft_print_header();
	if (!file)
		ksft_exit_skip("no dma-buf-errors.rst\n");
	read_rows(file);
	fclose(file);
	if (!n_rows)
		ksft_exit_fail_msg("no table in dma-buf-errors.rst\n");

	heaps = heap_for_each(NULL, NULL);
	for (i = 0; i < n_rows; i++)
		plan += strcmp(rows[i].file, "heap") || heaps < 1 ? 1 : heaps;
	ksft_set_plan((unsigned int)plan);

	merged_prepare();
	buffers = count_buffers();
	for (i = 0; i < n_rows; i++) {
		const struct row *row = &rows[i];
		const struct kind *kind = kind_find(row->file);
		int subject;

		if (!strcmp(row->file, "heap") && heaps > 0) {
			heap_for_each(try_heap, (void *)row);
			continue;
		}
		subject = kind ? kind->make() : -ENOENT;
		if (!kind && strcmp(row->file, "heap"))
			ksft_test_result_fail("line %d: no such file: %s\n", row->line, row->file);
		else if (subject < 0)
			ksft_test_result_skip("line %d: no %s here\n", row->line, row->file);
		else
			try_row(row, subject, row->file);
	}
	ksft_test_result(buffers < 0 || buffers_settle(buffers), "no buffer is left\n");
	ksft_print_msg("FIGURE bad inputs tried: %d\n", plan - 1);
	ksft_finished();
}
