/* changes.c - what a batch changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
