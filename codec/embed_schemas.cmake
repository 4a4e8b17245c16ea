# Write the schema files as C arrays: schema/NAME.avsc becomes `const char schema_NAME[]`.
# cmake -DOUTPUT=file.c -DSCHEMAS=a.avsc,b.avsc -P embed_schemas.cmake
#
# SPDX-License-Identifier: Apache-2.0
string(REPLACE "," ";" SCHEMAS "${SCHEMAS}")
set(text "/* The built-in schemas; made by codec/embed_schemas.cmake. */\n")
string(APPEND text "#include \"codec/review_codec.h\"\n")
foreach(schema IN LISTS SCHEMAS)
    get_filename_component(name "${schema}" NAME_WE)
    file(READ "${schema}" bytes HEX)
    string(REGEX REPLACE "(................................)" "\\1\n   " bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" " 0x\\1," bytes "${bytes}")
    string(APPEND text "\nconst char schema_${name}[] = {\n   ${bytes} 0x00};\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}")
