/* restore.c - a partition from what is stored.
 *
 * SPDX-License-Identifier: Apache-2.0 */
