/* Growable bytes and arenas, also when there is no memory to be had (F15). */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "helpers/alloc_fail.h"
#include "helpers/assert.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

Test(buf, nothing_is_an_empty_text)
{
	struct rv_buf buf;

	rv_buf_init(&buf);
	rv_assert_text(rv_buf_text(&buf), "");
	cr_assert(eq(sz, buf.size, 0));
	rv_buf_reset(&buf);
	rv_buf_fini(&buf);
	rv_buf_fini(&buf);
}

Test(buf, bytes_add_up_and_end_in_nul)
{
	struct rv_buf buf;

	rv_buf_init(&buf);
	cr_assert(eq(int, rv_buf_str(&buf, "one "), RV_OK));
	cr_assert(eq(int, rv_buf_printf(&buf, "%d %s", 2, "three"), RV_OK));
	cr_assert(eq(int, rv_buf_add(&buf, "\0x", 2), RV_OK));
	cr_assert(eq(int, rv_buf_add(&buf, NULL, 0), RV_OK));
	cr_assert(eq(sz, buf.size, 13));
	rv_assert_text(rv_buf_text(&buf), "one 2 three");
	cr_assert(eq(int, buf.data[12], 'x'));
	cr_assert(eq(int, buf.data[13], '\0'));
	rv_buf_reset(&buf);
	rv_assert_text(rv_buf_text(&buf), "");
	rv_buf_fini(&buf);
}

Test(buf, it_grows_to_any_size)
{
	struct rv_buf buf;

	rv_buf_init(&buf);
	for (int i = 0; i < 10000; i++)
		cr_assert(eq(int, rv_buf_printf(&buf, "%04d", i), RV_OK));
	cr_assert(eq(sz, buf.size, 40000));
	cr_assert(eq(int, memcmp(buf.data + 4 * 1234, "1234", 4), 0));
	cr_assert(eq(int, rv_buf_reserve(&buf, SIZE_MAX - 10), RV_E_NOMEM));
	cr_assert(eq(sz, buf.size, 40000));
	rv_buf_fini(&buf);
}

Test(buf, taking_hands_the_memory_over)
{
	struct rv_buf buf;
	char *text;

	rv_buf_init(&buf);
	text = rv_buf_take(&buf);
	rv_assert_text(text, "");
	free(text);
	cr_assert(eq(int, rv_buf_str(&buf, "mine"), RV_OK));
	text = rv_buf_take(&buf);
	rv_assert_text(text, "mine");
	cr_assert(eq(ptr, buf.data, NULL));
	free(text);
}

Test(buf, f15_without_memory_the_content_stays)
{
	struct rv_buf buf;
	char big[5000];

	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	rv_buf_init(&buf);
	rv_test_alloc_fail(1, 0);
	cr_assert(eq(int, rv_buf_str(&buf, "a"), RV_E_NOMEM));
	rv_test_alloc_fail(1, 0);
	cr_assert(eq(ptr, rv_buf_take(&buf), NULL));
	rv_test_alloc_fail(0, 0);
	cr_assert(eq(int, rv_buf_str(&buf, "kept"), RV_OK));
	rv_test_alloc_fail(1, 0);
	cr_assert(eq(int, rv_buf_add(&buf, big, sizeof big), RV_E_NOMEM));
	rv_test_alloc_fail(1, 0);
	cr_assert(eq(int, rv_buf_printf(&buf, "%s", big), RV_E_NOMEM));
	rv_assert_text(rv_buf_text(&buf), "kept");
	rv_test_alloc_fail(0, 0);
	rv_buf_fini(&buf);
}

Test(arena, pieces_are_zeroed_aligned_and_apart)
{
	struct rv_arena arena;
	char *last = NULL;

	rv_arena_init(&arena);
	for (size_t size = 0; size < 300; size++) {
		char *piece = rv_arena_alloc(&arena, size);

		cr_assert(ne(ptr, piece, NULL));
		cr_assert(ne(ptr, piece, last));
		cr_assert(eq(sz, (uintptr_t)piece % alignof(max_align_t), 0));
		for (size_t i = 0; i < size; i++)
			cr_assert(eq(int, piece[i], 0));
		memset(piece, 0xff, size);
		last = piece;
	}
	rv_arena_reset(&arena);
	rv_arena_reset(&arena);
}

Test(arena, texts_and_large_pieces)
{
	struct rv_arena arena;
	char *large;

	rv_arena_init(&arena);
	rv_assert_text(rv_arena_strdup(&arena, "copy"), "copy");
	rv_assert_text(rv_arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
	rv_assert_text(rv_arena_memdup(&arena, "abc", 2), "ab");
	rv_assert_text(rv_arena_memdup(&arena, NULL, 0), "");
	large = rv_arena_alloc(&arena, 1 << 20);
	cr_assert(ne(ptr, large, NULL));
	large[(1 << 20) - 1] = 1;
	cr_assert(eq(ptr, rv_arena_alloc(&arena, SIZE_MAX - 3), NULL));
	cr_assert(eq(ptr, rv_arena_memdup(&arena, "", SIZE_MAX), NULL));
	rv_arena_reset(&arena);
	cr_assert(ne(ptr, rv_arena_strdup(&arena, "again"), NULL), "usable after a reset");
	rv_arena_reset(&arena);
}

Test(arena, f15_without_memory_it_says_so)
{
	struct rv_arena arena;

	rv_arena_init(&arena);
	rv_test_alloc_fail(1, 2);
	cr_assert(eq(ptr, rv_arena_alloc(&arena, 1), NULL));
	cr_assert(eq(ptr, rv_arena_strdup(&arena, "x"), NULL));
	cr_assert(eq(ptr, rv_arena_printf(&arena, "%d", 1), NULL));
	rv_test_alloc_fail(0, 0);
	cr_assert(ne(ptr, rv_arena_alloc(&arena, 1), NULL));
	rv_arena_reset(&arena);
}
