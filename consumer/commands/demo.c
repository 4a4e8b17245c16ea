/* demo.c - the command demo.
 *
 * SPDX-License-Identifier: Apache-2.0 */
