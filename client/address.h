/*
 * address.h - where the daemon listens, from options, environment and the usual places.
 *
 * Order: --connect; --socket; GATHERD_SOCKET; the first of these that is there:
 * $XDG_RUNTIME_DIR/gatherd.sock, $XDG_STATE_HOME/gatherd/gatherd.sock,
 * ~/.local/state/gatherd/gatherd.sock, /run/gatherd/gatherd.sock (root: only the last).
 *
 * Ownership: texts live inside. Threads: none.
 */
#ifndef GATHERD_CLIENT_ADDRESS_H
#define GATHERD_CLIENT_ADDRESS_H

#include "client/options.h"

#include <sys/un.h>

#define ADDRESS_TOKEN_MAX 256

struct address {
	bool is_tcp;
	char socket[sizeof((struct sockaddr_un *)0)->sun_path];
	char host[256];
	char port[32];
	char token[ADDRESS_TOKEN_MAX]; /* "": none; only sent over TCP */
};

/* Errors: GD_INVALID_PARAMS (a malformed address, a path that is too long, a token file that cannot
 * be read), GD_UNAUTHORIZED (it holds no token). */
GD_NODISCARD enum gd_err address_find(struct address *a, const struct options *o,
                                      struct gd_error *why);
/* For messages: the socket's path, or HOST:PORT. */
void                     address_write(const struct address *a, char *out, size_t room);

#endif
