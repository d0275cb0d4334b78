/*
 * sip_hash.h - a hash that gives no hint at keys that collide, as long as its seed is not known.
 *
 * SipHash-1-3, with the seed as both halves of its key. Threads: any.
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
 */
#ifndef GATHERD_VALUE_SIP_HASH_H
#define GATHERD_VALUE_SIP_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t sip_hash(uint64_t seed, const char *bytes, size_t count);

#endif
