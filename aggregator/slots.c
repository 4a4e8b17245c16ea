/* slots.c - time to slot numbers, and the counters of the slots that one series or group has.
 *
 * SPDX-License-Identifier: Apache-2.0 */
