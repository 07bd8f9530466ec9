# Lets the programs KWTA and KWTA_SERVER write their manual pages, compressed by GZIP, and completions into OUTPUT/cli and
# OUTPUT/server, laid out as below /usr/share.

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${OUTPUT})
function(write_completions program command folder)
  foreach(shell_and_file IN ITEMS
          bash=bash-completion/completions/${program} fish=fish/vendor_completions.d/${program}.fish
          zsh=zsh/vendor-completions/_${program})
    string(REPLACE "=" ";" shell_and_file ${shell_and_file})
    list(GET shell_and_file 0 shell)
    list(GET shell_and_file 1 file)
    get_filename_component(directory ${folder}/${file} DIRECTORY)
    file(MAKE_DIRECTORY ${directory})
    execute_process(COMMAND ${command} ${shell} OUTPUT_FILE ${folder}/${file} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endfunction()

file(MAKE_DIRECTORY ${OUTPUT}/cli/man/man1 ${OUTPUT}/server/man/man8)
run(${KWTA} manual ${OUTPUT}/cli/man/man1)
execute_process(COMMAND ${KWTA_SERVER} --manual OUTPUT_FILE ${OUTPUT}/server/man/man8/kwta-server.8
                COMMAND_ERROR_IS_FATAL ANY)
file(GLOB pages ${OUTPUT}/*/man/*/*)
run(${GZIP} -9n ${pages})
write_completions(kwta "${KWTA};completion" ${OUTPUT}/cli)
write_completions(kwta-server "${KWTA_SERVER};--completion" ${OUTPUT}/server)
file(TOUCH ${OUTPUT}/done)
