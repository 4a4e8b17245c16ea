/* plan.c - a writer schema compiled into steps that read or skip one field each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
