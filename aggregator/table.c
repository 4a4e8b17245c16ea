/* table.c - open-addressing hash table of pointers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
