/* views.c - what dashboards read: plain keys in Redis.
 *
 * SPDX-License-Identifier: Apache-2.0 */
