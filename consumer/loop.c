/* loop.c - the service loop: read, decode, count, store, publish, commit.
 *
 * SPDX-License-Identifier: Apache-2.0 */
