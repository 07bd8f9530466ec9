# Every library that kwta is built on, each a Debian 12 package (scripts/setup).

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libwebp REQUIRED IMPORTED_TARGET libwebp)
find_package(nlohmann_json REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
set_package_properties(absl PROPERTIES PURPOSE "status, strings, synchronisation")
set_package_properties(Protobuf PROPERTIES PURPOSE "specs, the RPC messages and the trainer's reports")
set_package_properties(OpenSSL PROPERTIES PURPOSE "SHA-256 of data sets")
set_package_properties(ZLIB PROPERTIES PURPOSE "compressed data sets")
set_package_properties(JPEG PROPERTIES PURPOSE "folders of images")
set_package_properties(PNG PROPERTIES PURPOSE "folders of images, and pictures of filters")
set_package_properties(nlohmann_json PROPERTIES PURPOSE "safetensors headers, configuration and --json")
set_package_properties(Eigen3 PROPERTIES PURPOSE "symmetric eigendecomposition, for whitening")

if(KWTA_ONEDNN)
  find_package(dnnl REQUIRED)
  find_package(OpenMP REQUIRED COMPONENTS CXX)  # oneDNN's threads: we keep them to one a caller
endif()

if(KWTA_CUDA)
  find_package(CUDAToolkit 12.4 REQUIRED)
  # The header alone: the library is loaded when it is needed. The toolkit has it, or PyPI's nvidia-cublas.
  find_path(KWTA_CUBLAS_INCLUDE cublasLt.h HINTS ${CUDAToolkit_INCLUDE_DIRS} REQUIRED)
  mark_as_advanced(KWTA_CUBLAS_INCLUDE)
endif()

if(KWTA_SERVER)
  find_package(gRPC CONFIG REQUIRED)
  find_package(SQLite3 REQUIRED)
  find_package(prometheus-cpp CONFIG REQUIRED COMPONENTS core)
  find_package(GnuTLS REQUIRED)
  pkg_check_modules(libmicrohttpd REQUIRED IMPORTED_TARGET libmicrohttpd)
  find_package(CLI11 CONFIG REQUIRED)
  find_package(spdlog CONFIG REQUIRED)
  set_package_properties(SQLite3 PROPERTIES PURPOSE "job store")
  set_package_properties(GnuTLS PROPERTIES PURPOSE "certificates of the HTTP port, which libmicrohttpd serves")
endif()

if(KWTA_TESTS)
  find_package(OpenSSL REQUIRED COMPONENTS SSL)  # a client of the HTTP port
  find_package(GTest CONFIG REQUIRED)
  find_package(Boost REQUIRED COMPONENTS context)  # fibers: the threads of an emulated device
endif()
if(KWTA_BENCH)
  find_package(benchmark CONFIG REQUIRED)
endif()
