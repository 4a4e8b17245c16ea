/* counts.c - the counters of one slot of time, and their packed form.
 *
 * SPDX-License-Identifier: Apache-2.0 */
