/* packet.c - the review packet: all that a budget owner needs to decide.
 *
 * SPDX-License-Identifier: Apache-2.0 */
