/*
 * render.h - jobs and events as JSON, within what a line may hold.
 *
 * What would make a line too long travels as {"$large":{"size":N,"sha256":"..."}} and is read in
 * pieces with job.result. Texts of records are JSON already and are copied as they are.
 *
 * Threads: any. Ownership: none. Needs libcrypto.
 */
#ifndef GATHERD_NET_RENDER_H
#define GATHERD_NET_RENDER_H

#include "daemon/store/store.h"
#include "proto/base/buf.h"

#include <stdbool.h>

/* What a line needs beside its value: envelope, id, title, labels. */
#define RENDER_LINE_SLACK 4096u

/* The value itself, or $large when it is longer than `bytes_max`. `value.at` NULL gives null. */
void render_value(struct buf *b, struct text value, size_t bytes_max);
/* ,"result":... or ,"error":... or nothing, after the status. */
void render_outcome(struct buf *b, enum job_status status, struct text result, struct text error,
                    size_t bytes_max);

/* {"id":..,"title":..,"status":..,"labels":..,"submitted":..,"started":..,"ended":.., left open for
 * more members. */
void render_job_open(struct buf *b, const struct store_job *j);

/* {"seq":N,"time":.. ...}; with `subscription` (JSON text) that comes first. */
void render_event(struct buf *b, const char *subscription, const struct event *e, size_t bytes_max);
/* The whole line of the notification, with its LF. */
void render_event_line(struct buf *b, const char *subscription, const struct event *e,
                       size_t line_max);
/* The value of "data" in an event's body; at is NULL when there is none. */
struct text render_event_data(struct text body);

#endif
