/*
 * The list of what is wrong with a configuration.  The supervisor and the CLI print it, a reload
 * logs it.  It never loses the fact that something is wrong: what there is no memory to keep is
 * counted.
 */
#include "conf/errors.h"

#include "base/buf.h"
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SPACE 5120u /* a sentence with a whole path in it; longer ones are cut */

void rv_conf_errors_init(struct rv_conf_errors *errors)
{
	*errors = (struct rv_conf_errors){0};
}

void rv_conf_errors_fini(struct rv_conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		free(errors->items[i].where);
		free(errors->items[i].text);
	}
	free(errors->items);
	rv_conf_errors_init(errors);
}

/* Room for one more item; the array doubles at powers of two. */
static int reserve(struct rv_conf_errors *errors)
{
	struct rv_conf_error *items;
	size_t space = errors->count ? errors->count * 2 : 4;

	if (errors->count > 0 && (errors->count < 4 || (errors->count & (errors->count - 1)) != 0))
		return RV_OK;
	items = realloc(errors->items, space * sizeof(*items));
	if (!items)
		return RV_E_NOMEM;
	errors->items = items;
	return RV_OK;
}

static char *copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

static void append(struct rv_conf_errors *errors, const struct rv_where *where, const char *text,
		   bool warning)
{
	struct rv_conf_error item = {
		.where = copy_text(where->text),
		.text = copy_text(text),
		.order = where->order,
		.warning = warning,
	};

	if (!item.warning)
		errors->nerrors++;
	if (!item.where || !item.text || reserve(errors) != RV_OK) {
		free(item.where);
		free(item.text);
		errors->lost++;
		return;
	}
	errors->items[errors->count++] = item;
	POST(errors->nerrors <= errors->count + errors->lost);
}

void rv_conf_error_add(struct rv_conf_errors *errors, const struct rv_where *where,
		       const char *format, ...)
{
	char text[TEXT_SPACE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	append(errors, where, text, false);
}

void rv_conf_warning_add(struct rv_conf_errors *errors, const struct rv_where *where,
			 const char *format, ...)
{
	char text[TEXT_SPACE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	append(errors, where, text, true);
}

/* Merging upwards: stable, without recursion; ${spare} has room for all. */
static void merge_sort(struct rv_conf_error *items, struct rv_conf_error *spare, size_t count)
{
	for (size_t width = 1; width < count; width *= 2) {
		for (size_t start = 0; start < count; start += 2 * width) {
			size_t mid = start + width < count ? start + width : count;
			size_t end = start + 2 * width < count ? start + 2 * width : count;
			size_t a = start;
			size_t b = mid;

			for (size_t i = start; i < end; i++) {
				bool left =
					b == end || (a < mid && items[a].order <= items[b].order);

				spare[i] = left ? items[a++] : items[b++];
			}
		}
		memcpy(items, spare, count * sizeof(*items));
	}
}

void rv_conf_errors_sort(struct rv_conf_errors *errors)
{
	struct rv_conf_error *spare;

	if (errors->count < 2)
		return;
	spare = malloc(errors->count * sizeof(*spare));
	if (!spare) /* they stay in the order found: nothing is lost */
		return;
	merge_sort(errors->items, spare, errors->count);
	free(spare);
}

int rv_conf_errors_print(const struct rv_conf_errors *errors, struct rv_buf *out)
{
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < errors->count; i++)
		err = rv_buf_printf(out, "%s: %s%s\n", errors->items[i].where,
				    errors->items[i].warning ? "warning: " : "",
				    errors->items[i].text);
	if (err == RV_OK && errors->lost > 0)
		err = rv_buf_printf(out, "reeve: out of memory for %zu more errors\n",
				    errors->lost);
	return err;
}
