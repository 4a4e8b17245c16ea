/* config.c - what can be configured: one table drives parsing, help, --print-config and docs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
