/* registry.c - writer schemas from a schema registry, by libcurl.
 *
 * SPDX-License-Identifier: Apache-2.0 */
