/* evidence.c - what a group remembers of the sources that its events name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
