// Catch2 v2 wants one file to hold its implementation and main(); v3 links them from a library.

#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#endif
#include "catch.h"
