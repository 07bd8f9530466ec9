# cmake -DNVCC=... -DFLAGS=... -DSOURCE=... -DOBJECT=... -DLOG=... -P compile_kernels.cmake: compiles SOURCE, writes what nvcc
# says to LOG, and shows it only if nvcc fails.
execute_process(COMMAND ${NVCC} ${FLAGS} -MD -MF ${OBJECT}.d -c ${SOURCE} -o ${OBJECT}
                RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
file(WRITE ${LOG} "${said}")
if(NOT result EQUAL 0)
  message(FATAL_ERROR "nvcc failed:\n${said}")
endif()
