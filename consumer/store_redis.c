/* store_redis.c - the state of partitions in Redis.
 *
 * SPDX-License-Identifier: Apache-2.0 */
