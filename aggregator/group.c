/* group.c - owners, groups and series: what is counted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
