/* clock.c - the time, so that tests can turn it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
