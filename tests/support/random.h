/* random.h - numbers for property tests: the same seed, the same numbers, on every machine.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_RANDOM_H
#define RETRYWATCH_TESTS_RANDOM_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct random {
    uint64_t state;
};

/** Seeded by RETRYWATCH_SEED, else always the same; says so, to repeat a failure. */
static inline struct random
random_new(const char *test)
{
    const char *text = getenv("RETRYWATCH_SEED");
    const uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 1;

    printf("%s: RETRYWATCH_SEED=%" PRIu64 "\n", test, seed);
    return (struct random){seed};
}

/** Source: splitmix64, Steele, Lea, Flood: Fast splittable pseudorandom number generators. */
static inline uint64_t
random_bits(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/** 0 <= number < below. */
static inline uint64_t
random_below(struct random *random, uint64_t below)
{
    return random_bits(random) % below;
}

static inline bool
random_chance(struct random *random, uint64_t one_in)
{
    return random_below(random, one_in) == 0;
}

/** Of any magnitude: small ones as often as large ones. */
static inline uint64_t
random_number(struct random *random)
{
    return random_bits(random) >> random_below(random, 64);
}

static inline int64_t
random_signed(struct random *random)
{
    const int64_t number = (int64_t)random_number(random);

    return random_chance(random, 2) ? number : (int64_t)(0 - (uint64_t)number);
}

#endif
