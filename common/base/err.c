/* The error table and the texts that travel with an error.  Every process; never logs. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *name;
	const char *text;
	int exit_code;
};

static const struct row rows[] = {
#define ERR(sym, code, sentence) [RV_ERRI_##sym] = {"RV_" #sym, sentence, code},
#include "base/err.def"
#undef ERR
};

static const struct row *row_of(int err)
{
	if (err > 0 || -err >= RV_ERRS)
		return &rows[RV_ERRI_E_INTERNAL];
	return &rows[-err];
}

const char *rv_err_text(int err)
{
	return row_of(err)->text;
}

const char *rv_err_name(int err)
{
	return row_of(err)->name;
}

int rv_err_exit(int err)
{
	return row_of(err)->exit_code;
}

int rv_fail(struct rv_why *why, int err, const char *format, ...)
{
	va_list args;

	if (!why)
		return err;
	va_start(args, format);
	(void)vsnprintf(why->text, sizeof why->text, format, args);
	va_end(args);
	return err;
}

int rv_wrap(struct rv_why *why, int err, const char *format, ...)
{
	struct rv_why old;
	va_list args;
	size_t used;

	if (!why)
		return err;
	old = *why;
	va_start(args, format);
	(void)vsnprintf(why->text, sizeof why->text, format, args);
	va_end(args);
	used = strlen(why->text);
	if (old.text[0] != '\0')
		(void)snprintf(why->text + used, sizeof why->text - used, ": %s", old.text);
	return err;
}

const char *rv_why_text(const struct rv_why *why, int err)
{
	return why && why->text[0] != '\0' ? why->text : rv_err_text(err);
}

int rv_err_from_errno(int errnum)
{
	switch (errnum) {
	case ENOMEM:
		return RV_E_NOMEM;
	case ENOSPC:
	case EDQUOT:
		return RV_E_NOSPACE;
	case EACCES:
	case EPERM:
	case EROFS:
		return RV_E_DENIED;
	case ENOENT:
	case ENOTDIR:
		return RV_E_NOTFOUND;
	case EEXIST:
		return RV_E_CONFLICT;
	case EAGAIN:
	case EBUSY:
	case EMFILE:
	case ENFILE:
		return RV_E_BUSY;
	case ETIMEDOUT:
		return RV_E_TIMEOUT;
	case EPIPE:
	case ECONNRESET:
	case ECONNREFUSED:
		return RV_E_CLOSED;
	case E2BIG:
	case EMSGSIZE:
	case EFBIG:
		return RV_E_TOOBIG;
	default:
		return RV_E_IO;
	}
}
