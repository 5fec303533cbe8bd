// What this process holds of the machine's memory.
#ifndef LLMROUTER_SERVER_MEMORY_H_
#define LLMROUTER_SERVER_MEMORY_H_

namespace llmrouter::server {

// Keeps large blocks for the next large prompt instead of giving them back to the kernel at once. Before anything else.
void keep_some_memory() noexcept;

// Gives back what the start or a busy time needed: free memory, and the pages of code and constants that setting up some thirty libraries read.
// They are clean copies of files: what is still used comes back by itself, from the page cache, which the next request pays with some ten
// microseconds. When serving has begun, and when a server has nothing to do.
void give_back() noexcept;

}  // namespace llmrouter::server

#endif
