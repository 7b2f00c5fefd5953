# Writes a C++ file with the contents of files, each as it is and compressed.
#   cmake -DOUTPUT=<file.cpp> -DWORK=<directory> -DLIST=<file> [-DGZIP=<program>] [-DBROTLI=<program>]
#         -P embed.cmake
# LIST has a line for each asset: <path in URLs>|<file>
file(STRINGS "${LIST}" lines)
set(externs "")
set(rows "")
set(number 0)

# What gets smaller by it. Types are web_files.cpp's.
set(compressible "\\.(html|js|mjs|css|ts|json|svg|map|txt|webmanifest)$")

# Bytes of `file` under the assembler's name `symbol`.
function(embed symbol file)
  set(externs "${externs}__asm__(\".section .rodata\\n.global ${symbol}\\n.type ${symbol}, @object\\n${symbol}:\\n.incbin \\\"${file}\\\"\\n.global ${symbol}_end\\n${symbol}_end:\\n.byte 0\\n.previous\\n\");\nextern \"C\" const std::uint8_t ${symbol}[];\nextern \"C\" const std::uint8_t ${symbol}_end[];\n" PARENT_SCOPE)
endfunction()

foreach(line IN LISTS lines)
  string(REPLACE "|" ";" parts "${line}")
  list(GET parts 0 path)
  list(GET parts 1 file)
  math(EXPR number "${number} + 1")
  set(symbol "turnpike_asset_${number}")
  embed(${symbol} "${file}")
  set(row "    {\"${path}\", {}, bytes(${symbol}, ${symbol}_end)")
  foreach(coding IN ITEMS gzip brotli)
    string(TOUPPER ${coding} program)
    set(compressed "${WORK}/${number}.${coding}")
    if(${program} AND path MATCHES "${compressible}")
      if(coding STREQUAL "gzip")
        execute_process(COMMAND "${GZIP}" -9nc "${file}" OUTPUT_FILE "${compressed}" RESULT_VARIABLE failed)
      else()
        execute_process(COMMAND "${BROTLI}" -fq 11 -o "${compressed}" "${file}" RESULT_VARIABLE failed)
      endif()
      if(failed)
        message(FATAL_ERROR "${program} failed on ${file}")
      endif()
      embed(${symbol}_${coding} "${compressed}")
      string(APPEND row ", bytes(${symbol}_${coding}, ${symbol}_${coding}_end)")
    else()
      string(APPEND row ", {}")
    endif()
  endforeach()
  string(APPEND rows "${row}},\n")
endforeach()

file(WRITE "${OUTPUT}.new" "// Made by web/embed.cmake of the files in web/.
#include <cstdint>

#include \"server/web_files.h\"

${externs}
namespace turnpike::server {
namespace {

ByteView bytes(const std::uint8_t* begin, const std::uint8_t* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

std::vector<signaling::Asset> embedded_assets() {
  return {
${rows}  };
}

}  // namespace turnpike::server
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
