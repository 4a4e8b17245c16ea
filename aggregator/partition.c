/* partition.c - the fold: events, ticks and decisions in; counters and reviews out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
