// Symbol visibility. Everything not marked is hidden in the shared library.
#ifndef LLMROUTER_EXPORT_H_
#define LLMROUTER_EXPORT_H_

#if defined(__GNUC__) || defined(__clang__)
#define LLMROUTER_EXPORT __attribute__((visibility("default")))
#else
#define LLMROUTER_EXPORT
#endif

#endif  // LLMROUTER_EXPORT_H_
