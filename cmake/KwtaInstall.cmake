# Install rules and the package configuration, so that another project can say find_package(kwta).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(kwta_libraries kwta_proto kwta_base kwta_simd kwta_io kwta_backends kwta_encoders kwta_evaluation kwta_training kwta_research)
if(KWTA_SERVER)
  list(APPEND kwta_libraries kwta_grpc kwta_client)
  install(TARGETS kwta-server kwta-trainer kwta RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS ${kwta_libraries} EXPORT kwtaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT kwtaTargets NAMESPACE kwta:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kwta)

install(DIRECTORY core DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${PROJECT_BINARY_DIR}/generated/core DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta)
install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/kwta DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta
        FILES_MATCHING PATTERN "*.pb.h")
install(DIRECTORY proto/kwta DESTINATION ${CMAKE_INSTALL_DATADIR}/kwta/proto FILES_MATCHING PATTERN "*.proto")
if(KWTA_SERVER)
  install(DIRECTORY client DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kwta
          FILES_MATCHING PATTERN "*.h" PATTERN cli EXCLUDE)
endif()

configure_package_config_file(cmake/kwtaConfig.cmake.in ${PROJECT_BINARY_DIR}/kwtaConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kwta)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kwtaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kwtaConfig.cmake ${PROJECT_BINARY_DIR}/kwtaConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kwta)
