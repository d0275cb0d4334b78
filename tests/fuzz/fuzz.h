/*
 * fuzz.h - a fuzz target, for libFuzzer and for our own driver.
 *
 * A target is a program that takes any bytes and stops (CHECK) when something that must hold does
 * not. It keeps nothing from one input to the next. The hooks have the names that libFuzzer gives
 * them, so that the same source links with either; driver.c stands in for libFuzzer where there is
 * no clang.
 *
 * Threads: one. Source: https://llvm.org/docs/LibFuzzer.html
 */
#ifndef GATHERD_TESTS_FUZZ_H
#define GATHERD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_BYTES_MAX 4096u /* of an input that a mutation makes */

/* Runs one input. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many mutations `make check` tries: about a second's worth. Each target defines its own. */
extern const uint32_t fuzz_rounds;

/* Changes an input in place by bytes; returns its new size. Libfuzzer's, or the driver's. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* A target may know better how to change its inputs, and how to make one of two. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                                                     unsigned seed);
__attribute__((weak)) size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size,
                                                       const uint8_t *b, size_t b_size,
                                                       uint8_t *out, size_t max_size,
                                                       unsigned seed);

#endif
