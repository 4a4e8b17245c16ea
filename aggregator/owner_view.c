/* owner_view.c - what dashboards show of one owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
