# packages: cmake make gcc libc6-dev
# seconds: 960
mkdir -p /tmp/c/src; cd /tmp/c
printf 'cmake_minimum_required(VERSION 3.20)\nproject(p C)\nadd_library(b src/b.c)\nadd_executable(a src/a.c)\ntarget_link_libraries(a b)\nenable_testing()\nadd_test(NAME runs COMMAND a)\nconfigure_file(src/v.h.in v.h)\ntarget_include_directories(a PRIVATE ${CMAKE_BINARY_DIR})\nmessage(STATUS "compiler is ${CMAKE_C_COMPILER_ID}")\n' > CMakeLists.txt
printf '#include <stdio.h>\n#include "v.h"\nint b(void);\nint main(void) { printf("%%s %%d\\n", V, b()); return 0; }\n' > src/a.c; echo 'int b(void) { return 42; }' > src/b.c; echo '#define V "@CMAKE_PROJECT_NAME@"' > src/v.h.in
cmake -S . -B out 2>&1 | grep 'compiler is'; cmake --build out 2>&1 | grep -c Built; out/a; (cd out && ctest 2>&1 | grep 'tests passed' | cut -d, -f1); cmake -E sha256sum src/b.c; cmake -E echo done
