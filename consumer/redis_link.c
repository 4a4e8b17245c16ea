/* redis_link.c - one connection to Redis: RESP over our own transport.
 *
 * SPDX-License-Identifier: Apache-2.0 */
