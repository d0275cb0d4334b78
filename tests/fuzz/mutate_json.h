/*
 * mutate_json.h - random changes to a JSON text that leave it JSON.
 *
 * Bytes that are changed one by one seldom get past a parser. Here whole values move: one takes the
 * place of another, goes into a list or object around it, gets a member more, or becomes a scalar
 * that lies at an edge. What follows the JSON stays as it is, but for a byte now and then.
 *
 * Threads: none.
 */
#ifndef GATHERD_TESTS_FUZZ_MUTATE_JSON_H
#define GATHERD_TESTS_FUZZ_MUTATE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The JSON at the beginning of `data` as a connection would take it (no member twice), a new
 * reference; `*used` is where it ends. NULL: there is none. */
json_t *mutate_json_read(const uint8_t *data, size_t size, size_t *used);
/* One change in place; returns the new size. What is no JSON is changed by bytes. */
size_t  mutate_json(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* A value of `a` becomes one of `b`; into `out`. 0: one of them is no JSON. */
size_t  mutate_json_graft(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                          uint8_t *out, size_t max_size, unsigned seed);

#endif
