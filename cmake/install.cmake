# What is installed: headers, the library in the kinds that were built, the C library, and what find_package() and pkg-config read. Each kind has
# an export of its own, so that who links the shared one needs nothing of what it is made of.
include(CMakePackageConfigHelpers)
set(llmrouter_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/llmrouter)

install(DIRECTORY include/llmrouter DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# llmrouter_install(TARGET KIND): TARGET becomes llmrouter::KIND of the installed package.
function(llmrouter_install target kind)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${kind})
  install(TARGETS ${target} EXPORT llmrouter-${kind}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT llmrouter-${kind} NAMESPACE llmrouter:: DESTINATION ${llmrouter_cmake_dir})
endfunction()

if(BUILD_SHARED_LIBS)
  set(llmrouter_default_kind shared)
else()
  set(llmrouter_default_kind static)
endif()
llmrouter_install(llmrouter ${llmrouter_default_kind})
if(TARGET llmrouter_static)
  llmrouter_install(llmrouter_static static)
elseif(TARGET llmrouter_shared)
  llmrouter_install(llmrouter_shared shared)
endif()

set(llmrouter_c_pc)
if(LLMROUTER_C)
  llmrouter_install(llmrouter_c c)
  set(llmrouter_c_pc llmrouter-c)
endif()
if(LLMROUTER_C AND LLMROUTER_PYTHON)
  install(FILES bindings/python/llmrouter.py DESTINATION ${LLMROUTER_PYTHON_DIR} COMPONENT python)
endif()

# What `pkg-config --static` adds. By name, not by their own .pc files: those would add what their static libraries need. The C++ runtime is for
# those who link with a C compiler.
set(llmrouter_libs_private -lcrypto -lpthread -lstdc++)
if(LLMROUTER_CURL)
  list(PREPEND llmrouter_libs_private -lcurl)
endif()
if(LLMROUTER_SQLITE)
  list(PREPEND llmrouter_libs_private -lsqlite3)
endif()
list(PREPEND llmrouter_libs_private -lre2)
if(LLMROUTER_YAML)
  list(PREPEND llmrouter_libs_private -lyaml-cpp)
endif()
list(JOIN llmrouter_libs_private " " llmrouter_libs_private)

configure_package_config_file(cmake/llmrouter-config.cmake.in ${PROJECT_BINARY_DIR}/llmrouter-config.cmake
  INSTALL_DESTINATION ${llmrouter_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/llmrouter-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/llmrouter-config.cmake ${PROJECT_BINARY_DIR}/llmrouter-config-version.cmake
  DESTINATION ${llmrouter_cmake_dir})

# Found from where the file lies, so that an installed tree may be moved.
file(RELATIVE_PATH llmrouter_pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
foreach(pc llmrouter ${llmrouter_c_pc})
  configure_file(cmake/${pc}.pc.in ${PROJECT_BINARY_DIR}/${pc}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${pc}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
