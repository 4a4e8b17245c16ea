/* claim.c - one partition that this instance holds: its state and its place in the log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
