/* config_print.c - the configuration table as YAML and as documentation.
 *
 * SPDX-License-Identifier: Apache-2.0 */
