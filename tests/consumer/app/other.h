// What the second translation unit gives: both include everything, so anything defined twice would show here.
#ifndef CONSUMER_OTHER_H_
#define CONSUMER_OTHER_H_

#include <llmrouter/llmrouter.h>

// Uses what an application uses besides a Client; the number of things that went wrong.
int use_the_parts();

#endif  // CONSUMER_OTHER_H_
