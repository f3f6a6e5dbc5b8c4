/* The INI reader: whatever is accepted is written down such that reading it gives the same again.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "conf/conf.h"

#include <string.h>

#define SIZE_MOST 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_conf *conf = NULL;
	struct rv_conf *again = NULL;
	struct rv_conf_errors errors;
	struct rv_buf first;
	struct rv_buf second;
	int err;

	if (size > SIZE_MOST)
		return 0;
	rv_conf_errors_init(&errors);
	rv_buf_init(&first);
	rv_buf_init(&second);
	err = rv_conf_parse((const char *)data, size, &conf, &errors);
	FUZZ_CHECK((err == RV_E_CONF) == (errors.nerrors > 0));
	FUZZ_CHECK(rv_conf_errors_print(&errors, &first) == RV_OK);
	rv_buf_reset(&first);
	if (err == RV_OK) {
		FUZZ_CHECK(rv_conf_dump(conf, RV_CONF_DUMP_PLAIN, &first) == RV_OK);
		err = rv_conf_parse(first.data, first.size, &again, &errors);
		if (err != RV_OK) {
			FUZZ_CHECK(rv_conf_errors_print(&errors, &second) == RV_OK);
			(void)fprintf(stderr, "%s----\n%s", rv_buf_text(&first),
				      rv_buf_text(&second));
		}
		FUZZ_CHECK(err == RV_OK);
		FUZZ_CHECK(rv_conf_dump(again, RV_CONF_DUMP_PLAIN, &second) == RV_OK);
		FUZZ_CHECK(first.size == second.size &&
			   memcmp(first.data, second.data, first.size) == 0);
		rv_conf_free(again);
		rv_conf_free(conf);
	}
	rv_buf_fini(&first);
	rv_buf_fini(&second);
	rv_conf_errors_fini(&errors);
	return 0;
}
