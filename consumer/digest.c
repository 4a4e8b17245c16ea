/* digest.c - SHA-256 by OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0 */
