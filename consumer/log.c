/* log.c - one line an event, logfmt or JSON, rate limited per site, never a payload.
 *
 * SPDX-License-Identifier: Apache-2.0 */
