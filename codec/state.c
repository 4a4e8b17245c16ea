/* state.c - the packed values of the Redis state keys.
 *
 * SPDX-License-Identifier: Apache-2.0 */
