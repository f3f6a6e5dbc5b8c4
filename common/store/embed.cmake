# cmake -DOUT=FILE.c -DIN=a.sql;b.sql -DNAMES=rv_sql_a;rv_sql_b -P embed.cmake
# Writes the texts as C strings, a literal per line, so that the binary needs no file beside it.
set(code "/* Made by embed.cmake from the .sql files; do not edit. */\n#include \"store/sqlite_sql.h\"\n")
foreach(path name IN ZIP_LISTS IN NAMES)
  file(READ ${path} text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n\t\"" text "${text}")
  string(APPEND code "\nconst char ${name}[] =\n\t\"${text}\";\n")
endforeach()
file(WRITE ${OUT} "${code}")
