/* url.c - source URLs without user info, query and fragment.
 *
 * SPDX-License-Identifier: Apache-2.0 */
