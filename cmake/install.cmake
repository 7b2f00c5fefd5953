# `cmake --install`: what a package brings besides the binary. Manual pages need scdoc; completions
# are printed by the binary, so they are left out when it cannot run here.

include(GNUInstallDirs)
set(TURNPIKE_SYSTEMD_UNIT_DIR "lib/systemd/system" CACHE STRING "Where the systemd unit goes")
set(TURNPIKE_SYSUSERS_DIR "lib/sysusers.d" CACHE STRING "Where the sysusers.d file goes")

install(FILES systemd/turnpike.service DESTINATION "${TURNPIKE_SYSTEMD_UNIT_DIR}")
install(FILES systemd/turnpike.sysusers DESTINATION "${TURNPIKE_SYSUSERS_DIR}" RENAME turnpike.conf)
install(FILES conf/turnpike.toml DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples")
install(PROGRAMS conf/certbot-deploy-hook DESTINATION "${CMAKE_INSTALL_DATADIR}/turnpike")
install(FILES README.md SECURITY.md CHANGELOG.md LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}"
  FILES_MATCHING PATTERN "*.md" PATTERN adr EXCLUDE PATTERN images EXCLUDE PATTERN man EXCLUDE)

set(generated "${CMAKE_CURRENT_BINARY_DIR}/generated/install")
file(MAKE_DIRECTORY "${generated}")
set(installed "")

find_program(TURNPIKE_SCDOC NAMES scdoc)
foreach(page turnpike.8 turnpike.toml.5 turnpike-nat-test.1)
  if(NOT TURNPIKE_SCDOC)
    message(STATUS "No scdoc: ${page} will not be installed")
    continue()
  endif()
  set(source "${CMAKE_CURRENT_SOURCE_DIR}/docs/man/${page}.scd")
  add_custom_command(OUTPUT "${generated}/${page}"
    COMMAND "${TURNPIKE_SCDOC}" < "${source}" > "${generated}/${page}"
    DEPENDS "${source}" COMMENT "Writing ${page}" VERBATIM)
  string(REGEX MATCH "[0-9]$" section "${page}")
  install(FILES "${generated}/${page}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
  list(APPEND installed "${generated}/${page}")
endforeach()

# turnpike_install_completion(<shell> <directory> <file>)
function(turnpike_install_completion shell directory file)
  add_custom_command(OUTPUT "${generated}/${shell}"
    COMMAND turnpike completion ${shell} > "${generated}/${shell}"
    DEPENDS turnpike COMMENT "Writing the completion for ${shell}" VERBATIM)
  install(FILES "${generated}/${shell}" DESTINATION "${CMAKE_INSTALL_DATADIR}/${directory}"
    RENAME "${file}")
  set(installed ${installed} "${generated}/${shell}" PARENT_SCOPE)
endfunction()
if(NOT CMAKE_CROSSCOMPILING)
  turnpike_install_completion(bash bash-completion/completions turnpike)
  turnpike_install_completion(zsh zsh/vendor-completions _turnpike)
  turnpike_install_completion(fish fish/vendor_completions.d turnpike.fish)
endif()
add_custom_target(turnpike_install_files ALL DEPENDS ${installed})
