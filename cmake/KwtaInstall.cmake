# Install rules and the package configuration, so that another project can say find_package(kwta).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# kwta_install_headers(FILES ...): headers of the source tree that users of the installed libraries may include, and
# those that these include. All others are private. scripts/check-install compiles each with nothing but what is
# installed.
function(kwta_install_headers)
  foreach(header IN LISTS ARGN)
    get_filename_component(folder ${header} DIRECTORY)
    install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta/${folder})
  endforeach()
endfunction()

# kwta::research is not installed: only the command line uses it, to reproduce papers.
set(kwta_libraries kwta_proto kwta_base kwta_simd kwta_io kwta_backends kwta_encoders kwta_evaluation kwta_training)
if(KWTA_SERVER)
  list(APPEND kwta_libraries kwta_grpc kwta_client)
  install(TARGETS kwta-server kwta-trainer kwta RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS ${kwta_libraries} EXPORT kwtaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT kwtaTargets NAMESPACE kwta:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kwta)

kwta_install_headers(
  core/backends/active_gradient.h core/backends/backend.h core/backends/backend_options.h
  core/backends/backend_registry.h core/backends/tied_training.h core/backends/winner_args.h
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
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta/core/base)
install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/kwta DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta
        FILES_MATCHING PATTERN "*.pb.h")
install(DIRECTORY proto/kwta DESTINATION ${CMAKE_INSTALL_DATADIR}/kwta/proto FILES_MATCHING PATTERN "*.proto")
if(KWTA_SERVER)
  kwta_install_headers(
    client/client.h client/encode_types.h client/load/latency_histogram.h client/load/load.h client/options.h)
endif()

configure_package_config_file(cmake/kwtaConfig.cmake.in ${PROJECT_BINARY_DIR}/kwtaConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kwta)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kwtaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kwtaConfig.cmake ${PROJECT_BINARY_DIR}/kwtaConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kwta)
