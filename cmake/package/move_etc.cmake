# Runs once the files of a package are gathered and before it is made.

file(GLOB folders ${CPACK_TEMPORARY_DIRECTORY}/*/usr/etc)
foreach(folder IN LISTS folders)
  string(REGEX REPLACE "/usr/etc$" "/etc" target ${folder})
  file(RENAME ${folder} ${target})
endforeach()
