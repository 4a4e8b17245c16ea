/* decision_codec.c - records of the decisions topic, Avro or JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
