/* outcome_json.cpp - JSON events through simdjson.
 *
 * SPDX-License-Identifier: Apache-2.0 */
