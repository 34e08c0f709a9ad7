# Read by CMake after project(llama_cpp): llama.cpp's common library serves its own programs, which
# are not built here. A normal variable shadows the cache entry that the wrapper forces.
set(LLAMA_BUILD_COMMON OFF)
