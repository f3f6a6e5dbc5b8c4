/*
 * The doorbell, seen from outside: after COMMIT, tell the daemon and the waiters, and forget.
 * Runs in the CLI and tests.  Must never block and never fail.
 */
#include "client/bell.h"

#include "os/file.h"
#include "os/sock.h"
#include "store/store.h"
#include "wire/sup.h"

static bool doorbell(struct rv_client *client, char *path, size_t space)
{
	char dir[RV_PATH_MAX];

	return rv_client_runtime_dir(client, dir, sizeof(dir)) == RV_OK &&
	       rv_path_join(path, space, dir, "doorbell") == RV_OK;
}

void rv_bell_ring(struct rv_client *client, uint64_t token)
{
	char path[RV_PATH_MAX];

	if (doorbell(client, path, sizeof(path)))
		rv_sock_ring(path, token);
}

void rv_bell_after_commit(struct rv_client *client)
{
	const struct rv_ring *rings;
	size_t count = rv_store_rings(client->store, &rings);
	char path[RV_PATH_MAX];
	bool known = count > 0 && doorbell(client, path, sizeof(path));

	for (size_t i = 0; i < count; i++) {
		const struct rv_ring *ring = &rings[i];

		if (ring->kind == RV_RING_WAITER)
			rv_sock_ring_waiter(ring->name, (uint64_t)ring->job);
		else if (known && ring->kind == RV_RING_SCHEDULED)
			rv_sock_ring(path, RV_RING_KEEPER);
		else if (known)
			rv_sock_ring(path, ring->name[0] ? rv_ring_token(ring->name) : RV_RING_ALL);
	}
}
