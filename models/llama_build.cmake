# Read by CMake after project(llama_cpp): llama.cpp's common library serves its own programs, which
# are not built here. A normal variable shadows the cache entry that the wrapper forces.
set(LLAMA_BUILD_COMMON OFF)

# Compilers up to GCC 12 drop the tile configuration of the AMX kernels as a dead store, and Linux
# grants tiles to each thread only on request: on processors with AMX the first token crashed.
add_compile_options(-U__AMX_INT8__)

# A token alone is multiplied by another kernel than several at once and rounds otherwise, by up to
# 0.7 logits. With one kernel for both, a reused cache answers as a fresh one does and drafts cannot
# change a text; a token alone takes about a seventh longer.
set(LLAMA_SGEMM "${CMAKE_CURRENT_SOURCE_DIR}/vendor/llama.cpp/ggml/src/ggml-cpu/llamafile/sgemm.cpp")
file(READ "${LLAMA_SGEMM}" LLAMA_SGEMM_SOURCE)
string(REPLACE "if (n < 2)" "if (n < 1)" LLAMA_SGEMM_SOURCE "${LLAMA_SGEMM_SOURCE}")
file(WRITE "${LLAMA_SGEMM}" "${LLAMA_SGEMM_SOURCE}")

# A batch may only follow the last token of its sequence, although attention looks at positions and
# not at their order. Without the two checks all the places that an edit changed are one batch. Where
# they are left in, each place is a batch of its own (LlamaModel.can_insert asks).
set(LLAMA_BATCH "${CMAKE_CURRENT_SOURCE_DIR}/vendor/llama.cpp/src/llama-batch.cpp")
file(READ "${LLAMA_BATCH}" LLAMA_BATCH_SOURCE)
string(REPLACE "if (seq_pos_min(s) != p0 + 1)" "if (false)" LLAMA_BATCH_SOURCE "${LLAMA_BATCH_SOURCE}")
string(REPLACE "if (seq_pos_max(s) - seq_pos_min(s) + 1 > (int) seq_pos[s].size())" "if (false)"
       LLAMA_BATCH_SOURCE "${LLAMA_BATCH_SOURCE}")
file(WRITE "${LLAMA_BATCH}" "${LLAMA_BATCH_SOURCE}")

# A shift turns every key of the context, most of them by nothing and the others by few different
# angles. What does not move is left out, the cells are dealt to the threads in turn, and a cell that
# moves as far as the one before it takes over the angle: the same bits, and where 100 of 4,000 tokens
# move 3 ms instead of 16.
set(LLAMA_OPS "${CMAKE_CURRENT_SOURCE_DIR}/vendor/llama.cpp/ggml/src/ggml-cpu/ops.cpp")
file(READ "${LLAMA_OPS}" LLAMA_OPS_SOURCE)
string(REPLACE "if (ir++ < ir0) continue; // skip rows mapped to other threads"
       "if (i2 % nth != ith) break;
                if (dst->data == src0->data && pos[i2] == 0 && !mrope_used && ext_factor == 0.0f && attn_factor == 1.0f) break;"
       LLAMA_OPS_SOURCE "${LLAMA_OPS_SOURCE}")
string(REPLACE "if (last_i2 != i2) {"
       "if (last_i2 < 0 || (last_i2 != i2 && (mrope_used || pos[i2] != pos[last_i2]))) {"
       LLAMA_OPS_SOURCE "${LLAMA_OPS_SOURCE}")
file(WRITE "${LLAMA_OPS}" "${LLAMA_OPS_SOURCE}")
