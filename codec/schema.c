/* schema.c - the built-in schemas, and Avro-C's view of a writer schema.
 *
 * SPDX-License-Identifier: Apache-2.0 */
