# Install rules and the package configuration, so that another project can say find_package(kwta). The components are those of
# cmake/KwtaPackages.cmake: server, cli and dev.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# kwta_install_headers(FILES ...): headers of the source tree that users of the installed libraries may include, and
# those that these include. All others are private. scripts/check-install compiles each with nothing but what is
# installed.
function(kwta_install_headers)
  foreach(header IN LISTS ARGN)
    get_filename_component(folder ${header} DIRECTORY)
    install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta/${folder} COMPONENT dev)
  endforeach()
endfunction()

# kwta::research is not installed: only the command line uses it, to reproduce papers.
set(kwta_libraries kwta_proto kwta_base kwta_simd kwta_io kwta_backends kwta_encoders kwta_evaluation kwta_training)
if(KWTA_SERVER)
  list(APPEND kwta_libraries kwta_grpc kwta_client)
  install(TARGETS kwta-server kwta-trainer RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
  install(TARGETS kwta RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT cli)
endif()
install(TARGETS ${kwta_libraries} EXPORT kwtaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(EXPORT kwtaTargets NAMESPACE kwta:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kwta COMPONENT dev)

kwta_install_headers(
  core/backends/activation.h core/backends/active_gradient.h core/backends/backend.h core/backends/corruption.h
  core/backends/regularised_args.h core/backends/backend_options.h
  core/backends/backend_registry.h core/backends/device_report.h
  core/backends/length_factor.h core/backends/tied_training.h core/backends/winner_args.h
  core/base/host_device.h
  core/encoders/encoder.h core/encoders/encoder_kind.h core/encoders/encoder_registry.h core/encoders/spec_option.h
  core/evaluation/activation_statistics.h core/evaluation/feature_rows.h core/evaluation/stored_classifier.h
  core/files/files.h core/files/mapped_file.h
  core/io/arrays/npy.h core/io/arrays/npz.h core/io/arrays/safetensors.h
  core/io/datasets/dataset.h core/io/datasets/named_datasets.h core/io/model_bundle.h
  core/preprocessing/moments.h core/preprocessing/preprocessing_spec.h core/preprocessing/preprocessor.h
  core/preprocessing/step.h
  core/tensors/codes.h core/tensors/dtype.h core/tensors/sparse_codes.h core/tensors/tensor.h
  core/training/job_spec.h core/training/learner_rows.h core/training/run_job.h core/training/training_control.h)
install(FILES ${PROJECT_BINARY_DIR}/generated/core/base/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta/core/base COMPONENT dev)
install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/kwta DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta COMPONENT dev
        FILES_MATCHING PATTERN "*.pb.h")
install(DIRECTORY proto/kwta DESTINATION ${CMAKE_INSTALL_DATADIR}/kwta/proto COMPONENT dev
        FILES_MATCHING PATTERN "*.proto")
if(KWTA_SERVER)
  kwta_install_headers(
    client/client.h client/encode_types.h client/load/latency_histogram.h client/load/load.h client/options.h)
endif()

configure_package_config_file(cmake/kwtaConfig.cmake.in ${PROJECT_BINARY_DIR}/kwtaConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kwta)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kwtaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kwtaConfig.cmake ${PROJECT_BINARY_DIR}/kwtaConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kwta COMPONENT dev)

if(KWTA_SERVER)
  file(RELATIVE_PATH KWTA_PKGCONFIG_TO_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  configure_file(cmake/kwta-client.pc.in ${PROJECT_BINARY_DIR}/kwta-client.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/kwta-client.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

  # Manual pages and completions, which the programs print.
  find_program(KWTA_GZIP gzip REQUIRED)
  mark_as_advanced(KWTA_GZIP)
  set(manual ${PROJECT_BINARY_DIR}/manual)
  add_custom_command(
    OUTPUT ${manual}/done
    COMMAND ${CMAKE_COMMAND} -DKWTA=$<TARGET_FILE:kwta> -DKWTA_SERVER=$<TARGET_FILE:kwta-server> -DGZIP=${KWTA_GZIP}
            -DOUTPUT=${manual} -P ${PROJECT_SOURCE_DIR}/cmake/package/write_manual.cmake
    DEPENDS kwta kwta-server cmake/package/write_manual.cmake
    COMMENT "Writing manual pages and completions"
    VERBATIM)
  add_custom_target(kwta_manual ALL DEPENDS ${manual}/done)
  foreach(part IN ITEMS cli server)
    install(DIRECTORY ${manual}/${part}/ DESTINATION ${CMAKE_INSTALL_DATADIR} COMPONENT ${part})
  endforeach()
endif()
