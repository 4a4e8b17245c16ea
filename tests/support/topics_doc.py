#!/usr/bin/env python3
# topics_doc.py - the field tables of docs/topics.md, from the docs in the schemas.
# SPDX-License-Identifier: Apache-2.0
"""Usage: topics_doc.py write|check SCHEMA_FOLDER DOCUMENT

Fills what stands between `<!-- fields: RECORD -->` and `<!-- end -->`.
"""
import difflib
import json
import pathlib
import re
import sys

MARKED = re.compile(r"(<!-- fields: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def load_schemas(folder):
    """Schemas by the name of their record."""
    schemas = [json.loads(path.read_text()) for path in sorted(folder.glob("*.avsc"))]
    return {schema["name"]: schema for schema in schemas}


def named(schema, names):
    """A type by its definition; remembers definitions for where they are only named."""
    if isinstance(schema, str):
        return names.get(schema, schema)
    if isinstance(schema, dict) and "name" in schema:
        names[schema["name"]] = schema
    return schema


def type_text(schema, names):
    schema = named(schema, names)
    if isinstance(schema, list):
        return " or ".join(type_text(branch, names) for branch in schema)
    if isinstance(schema, str):
        return schema
    if schema["type"] == "enum":
        return "enum: " + ", ".join(schema["symbols"])
    if schema["type"] == "array":
        return "array of " + type_text(schema["items"], names)
    if schema["type"] == "map":
        return "map of " + type_text(schema["values"], names)
    return schema.get("logicalType", schema["type"])


def inner_record(schema, names):
    """The record of a field, or of the items of its array."""
    schema = named(schema, names)
    if isinstance(schema, dict) and schema["type"] == "array":
        schema = named(schema["items"], names)
    return schema if isinstance(schema, dict) and schema["type"] == "record" else None


def default_text(field):
    if "default" not in field:
        return "required"
    return "`" + json.dumps(field["default"]) + "`"


def rows(record, names, prefix=""):
    for field in record["fields"]:
        aliases = "".join(f", alias `{alias}`" for alias in field.get("aliases", []))
        yield (
            f"`{prefix}{field['name']}`{aliases}",
            type_text(field["type"], names),
            default_text(field),
            field["doc"],
        )
        inner = inner_record(field["type"], names)
        # A record that is used again was shown where it was first used.
        if inner is not None and inner["name"] not in names["shown"]:
            names["shown"].add(inner["name"])
            yield from rows(inner, names, f"{prefix}{field['name']}.")


def table(record):
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for row in rows(record, {"shown": set()}):
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return f"{record['doc']}\n\n" + "\n".join(lines) + "\n"


def main(mode, folder, document):
    schemas = load_schemas(pathlib.Path(folder))
    path = pathlib.Path(document)
    before = path.read_text()
    after = MARKED.sub(lambda found: found[1] + table(schemas[found[2]]) + found[3], before)
    if mode == "write":
        path.write_text(after)
        return 0
    difference = list(difflib.unified_diff(
        before.splitlines(True), after.splitlines(True), document, "from the schemas"))
    sys.stderr.writelines(difference)
    if difference:
        print(f"{document} is not fresh: build the target docs", file=sys.stderr)
    missing = [name for name in schemas if f"<!-- fields: {name} -->" not in before]
    if missing:
        print(f"{document} lacks {', '.join(missing)}", file=sys.stderr)
    return 1 if difference or missing else 0


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("write", "check"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
