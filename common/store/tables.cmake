# rv_tables(OUT FILE…): 16 hex digits for the tables that these files make, one after the other: the
# beginning of the SHA-256 of their statements.  Comments and white space are none of a table.
function(rv_tables out)
  set(all "")
  foreach(file IN LISTS ARGN)
    file(READ ${file} text)
    string(REGEX REPLACE "--[^\n]*" "" text "${text}")
    string(REGEX REPLACE "[ \t\n]+" " " text "${text}")
    string(APPEND all "${text}")
  endforeach()
  string(SHA256 all "${all}")
  string(SUBSTRING ${all} 0 16 all)
  set(${out} ${all} PARENT_SCOPE)
endfunction()
