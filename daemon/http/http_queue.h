/*
 * http_queue.h - requests that wait for a slot, and whose turn it is. Private to daemon/http/.
 *
 * Origins (scheme, host, port) take turns, and only some requests of each may be on their way to a
 * connection at one time: a host that does not answer keeps nobody waiting but its own. Where one
 * connection carries many (HTTP/2) these are few: libcurl would make one for each request that finds
 * the others full.
 *
 * Ownership: origins belong to the queue and live as long as a transfer is at one. Threads: none.
 * Cost: O(1); finding an origin O(origins / HTTP_QUEUE_ROOM).
 */
#ifndef GATHERD_HTTP_QUEUE_H
#define GATHERD_HTTP_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define HTTP_QUEUE_ROOM 1024u
#define HTTP_ORIGIN_OPENING_MAX 16u
#define HTTP_ORIGIN_SHARED_MAX 2u /* the same, with HTTP/2 */
#define HTTP_ORIGIN_CROWD 64u     /* transfers, of one origin */

struct http_transfer;
struct http_origin;

struct transfer_list {
	struct http_transfer *first, *last;
	uint32_t              count;
};

struct http_queue {
	struct http_origin *chains[HTTP_QUEUE_ROOM];
	struct http_origin *first, *last; /* those of which one may start, the next one first */
	uint32_t            count;        /* of transfers that wait */
};

void list_add(struct transfer_list *l, struct http_transfer *t);
void list_remove(struct transfer_list *l, struct http_transfer *t);

/* `t` is at the origin of its URL, until queue_leave(). False: no memory. */
bool queue_join(struct http_queue *q, struct http_transfer *t);
void queue_leave(struct http_queue *q, struct http_transfer *t);

/* Of a transfer that is at its origin: it waits; it waits no more; it is on its way to a connection;
 * that is over. */
void queue_add(struct http_queue *q, struct http_transfer *t);
void queue_remove(struct http_queue *q, struct http_transfer *t);
void queue_opens(struct http_queue *q, struct http_transfer *t);
void queue_opened(struct http_queue *q, struct http_transfer *t);

/* Its connection is free for another. */
void queue_frees(struct http_transfer *t);
/* Before it goes: none of the many connections to its origin can be free, so that it need not be looked
 * for; libcurl would look at each of them. */
bool queue_needs_connection(struct http_transfer *t);
/* Its origin speaks HTTP/2. */
void queue_shares(struct http_queue *q, struct http_transfer *t);

/* Whose turn it is; its origin is the last one then. NULL: nobody's. */
struct http_transfer *queue_next(struct http_queue *q);
/* Any one that waits; NULL: none does. */
struct http_transfer *queue_any(struct http_queue *q);

#endif
