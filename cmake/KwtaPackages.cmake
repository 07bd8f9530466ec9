# Debian packages by cpack: kwta-server with the service and its trainer, kwta with the command line, libkwta-dev with headers,
# static libraries, CMake configuration and pkg-config file.
#
#   cmake --build build/release && (cd build/release && cpack)

if(NOT KWTA_SERVER)
  return()
endif()

set(KWTA_MAINTAINER "kwta maintainers <kwta@localhost>" CACHE STRING "Maintainer of the Debian packages")
set(package_dir ${PROJECT_SOURCE_DIR}/cmake/package)

# What only the package has: a plain `cmake --install` writes no units and no configuration.
install(FILES deploy/systemd/kwta-server.service DESTINATION lib/systemd/system COMPONENT server EXCLUDE_FROM_ALL)
install(FILES deploy/kwta-server.toml DESTINATION etc/kwta COMPONENT server EXCLUDE_FROM_ALL)
install(PROGRAMS deploy/backup/kwta-backup DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT server EXCLUDE_FROM_ALL)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/kwta-server COMPONENT server EXCLUDE_FROM_ALL)
install(FILES docs/operations.md docs/security.md docs/serving.md docs/metrics.md
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/kwta-server COMPONENT server EXCLUDE_FROM_ALL)
install(FILES docs/cli.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/kwta COMPONENT cli EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL server cli dev)
set(CPACK_PACKAGE_CONTACT ${KWTA_MAINTAINER})
set(CPACK_STRIP_FILES ON)
# Makes /etc of /usr/etc, the only folder of the packages that is not below /usr.
set(CPACK_PRE_BUILD_SCRIPTS ${package_dir}/move_etc.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_SERVER_PACKAGE_NAME kwta-server)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION net)
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS passwd)
set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS sqlite3)
set(CPACK_DEBIAN_SERVER_PACKAGE_SUGGESTS kwta)
set(CPACK_DEBIAN_SERVER_DESCRIPTION "The service kwta-server keeps models and jobs in /var/lib/kwta and listens on
127.0.0.1:8500 (gRPC) and 127.0.0.1:8501 (HTTP) until /etc/kwta/kwta-server.toml
says something else.")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
    ${package_dir}/conffiles ${package_dir}/postinst ${package_dir}/prerm ${package_dir}/postrm)

set(CPACK_DEBIAN_CLI_PACKAGE_NAME kwta)
set(CPACK_DEBIAN_CLI_PACKAGE_SECTION science)
set(CPACK_DEBIAN_CLI_DESCRIPTION "The command line submits training jobs to a kwta-server, watches them, encodes
with the models, measures how good they are, and reproduces the papers' tables.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libkwta-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libabsl-dev, libgrpc++-dev, libprotobuf-dev, libssl-dev")
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS
    "libdnnl-dev, libjpeg-dev, libpng-dev, libwebp-dev, nlohmann-json3-dev, ocl-icd-opencl-dev, protobuf-compiler, zlib1g-dev")
set(CPACK_DEBIAN_DEV_DESCRIPTION "Headers and static libraries. find_package(kwta COMPONENTS client) and
kwta-client.pc are the client library; find_package(kwta COMPONENTS training)
has encoders, backends and training, for which the recommended packages are needed.")
include(CPack)
