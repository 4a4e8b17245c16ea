/* generate.c - the command generate.
 *
 * SPDX-License-Identifier: Apache-2.0 */
